"""The settings of every project and stack: typed, bounded, checked before anything starts."""

from postroad_infra.settings.dns import DnsSettings
from postroad_infra.settings.mail import MailSettings
from postroad_infra.settings.network import NetworkSettings
from postroad_infra.settings.problem import Problem, SettingsError
from postroad_infra.settings.stack_file import PROJECTS, load_settings, read_stack_file

__all__ = [
    "PROJECTS",
    "DnsSettings",
    "MailSettings",
    "NetworkSettings",
    "Problem",
    "SettingsError",
    "load_settings",
    "read_stack_file",
]

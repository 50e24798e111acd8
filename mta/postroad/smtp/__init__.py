"""ESMTP without I/O: lines, replies, commands, the server's and the client's state machines."""

'use strict';
// Whoever connects may relay; all mail goes to the sink that config/smart_host names.

exports.register = function () {
    const [host, port] = this.config.get('smart_host').split(':');
    this.exchange = { priority: 0, exchange: host, port: Number(port) };
};

exports.hook_connect = function (next, connection) {
    connection.relaying = true;
    next();
};

exports.hook_get_mx = function (next) {
    next(OK, this.exchange);
};

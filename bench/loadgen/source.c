/* An SMTP client that loads a server: as fast as it answers, or at a fixed rate; it counts every reply.
 *
 * usage: source -p port [-c connections] [-n messages] [-l octets] [-r messages/s] [-d domains] [-s sites] [-t seconds] [-P]
 *
 * Message k goes to u@d<k mod domains>.s<that mod sites>.bench.test and has the field X-Bench-Id: k. With -P, MAIL, RCPT and
 * DATA are one flight (RFC 2920). At the end one line of JSON: what was accepted (250 to the final dot), refused (any 4yz or 5yz),
 * lost (the connection ended before the reply), the times from the final dot to its reply in microseconds, and the seconds at
 * which each hundredth of the messages was accepted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum state { CLOSED, CONNECTING, BANNER, EHLO, IDLE, MAIL, RCPT, DATA, DOT, RSET };

struct connection {
    int fd;
    enum state state;
    int awaited;     /* replies on their way, with pipelining */
    int failed;      /* one of them was refused */
    long message;    /* its number */
    uint64_t dot_at; /* when the final dot was written */
    char reply[4096];
    size_t have;
    char head[512]; /* commands, or the message's header */
    const char *part[2];
    size_t left[2]; /* of head and body */
};

static struct sockaddr_in server;
static int epoll_fd, connections = 30, pipelining;
static long messages = 1000, domains = 1, sites = 1, begun, accepted, refused, lost, broken;
static size_t octets = 10240, body_size;
static double rate, time_limit = 600;
static char *body, first_refusal[256];
static uint32_t *latency;
static double marks[101];
static uint64_t began;
static struct connection *all;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "source: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(struct connection *c, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0) die("epoll_ctl");
}

static void dial(struct connection *c) {
    int one = 1;
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) die("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
    c->state = CONNECTING;
    c->have = 0;
    c->left[0] = c->left[1] = 0;
}

static void ended(struct connection *c) {
    if (c->state >= MAIL && c->state <= DOT) lost++;
    close(c->fd);
    c->state = CLOSED;
    if (++broken > 100 * (long)connections) {
        fprintf(stderr, "source: %ld connections broke; the last reply was: %.*s\n", broken, (int)c->have, c->reply);
        exit(1);
    }
    if (begun < messages) dial(c);
}

/* Write what is left; wait for room if it doesn't go at once. Returns -1 if the connection ended. */
static int flush(struct connection *c) {
    for (int i = 0; i < 2; i++)
        while (c->left[i]) {
            ssize_t sent = send(c->fd, c->part[i], c->left[i], MSG_NOSIGNAL | (i == 0 && c->left[1] ? MSG_MORE : 0));
            if (sent < 0) {
                if (errno != EAGAIN) return -1;
                watch(c, EPOLLIN | EPOLLOUT);
                return 0;
            }
            c->part[i] += sent;
            c->left[i] -= (size_t)sent;
        }
    if (c->state == DOT && !c->dot_at) c->dot_at = now();
    return 0;
}

static int say(struct connection *c, enum state state, size_t size, int awaited) {
    c->state = state;
    c->awaited = awaited;
    c->part[0] = c->head;
    c->left[0] = size;
    c->left[1] = 0;
    return flush(c);
}

static size_t recipient(struct connection *c, char *to, size_t room) {
    long domain = c->message % domains;
    return (size_t)snprintf(to, room, "RCPT TO:<u@d%ld.s%ld.bench.test>\r\n", domain, domain % sites);
}

static int begin(struct connection *c) {
    size_t size = (size_t)snprintf(c->head, sizeof c->head, "MAIL FROM:<news@bench.test>\r\n");
    c->message = begun++;
    c->failed = 0;
    if (!pipelining) return say(c, MAIL, size, 1);
    size += recipient(c, c->head + size, sizeof c->head - size);
    size += (size_t)snprintf(c->head + size, sizeof c->head - size, "DATA\r\n");
    return say(c, DATA, size, 3);
}

static int send_content(struct connection *c) {
    int size = snprintf(c->head, sizeof c->head,
                        "X-Bench-Id: %ld\r\nFrom: News <news@bench.test>\r\nTo: u@bench.test\r\nSubject: bench\r\n"
                        "Date: Mon, 23 Nov 2026 00:00:00 +0000\r\nMessage-ID: <%ld.%d@bench.test>\r\n\r\n",
                        c->message, c->message, (int)getpid());
    c->state = DOT;
    c->awaited = 1;
    c->dot_at = 0;
    c->part[0] = c->head, c->left[0] = (size_t)size;
    c->part[1] = body, c->left[1] = body_size;
    return flush(c);
}

static int done(struct connection *c, int positive) {
    if (positive) {
        latency[accepted++] = (uint32_t)((now() - c->dot_at) / 1000);
        if (accepted * 100 / messages != (accepted - 1) * 100 / messages)
            marks[accepted * 100 / messages] = (double)(now() - began) / 1e9;
        c->state = IDLE;
        return 0;
    }
    if (!refused++) snprintf(first_refusal, sizeof first_refusal, "%.*s", (int)strcspn(c->reply, "\r\"\\"), c->reply);
    memcpy(c->head, "RSET\r\n", 6);
    return say(c, RSET, 6, 1);
}

/* Act on a reply's code. Returns -1 if the connection ended. */
static int replied(struct connection *c, char kind) {
    int positive = kind == '2' || kind == '3';
    switch (c->state) {
    case BANNER:
        if (!positive) return -1;
        memcpy(c->head, "EHLO source.bench.test\r\n", 24);
        return say(c, EHLO, 24, 1);
    case EHLO:
    case RSET:
        if (!positive) return -1;
        c->state = IDLE;
        return 0;
    case MAIL:
        if (!positive) return done(c, 0);
        return say(c, RCPT, recipient(c, c->head, sizeof c->head), 1);
    case RCPT:
        if (!positive) return done(c, 0);
        memcpy(c->head, "DATA\r\n", 6);
        return say(c, DATA, 6, 1);
    case DATA:
        c->failed |= !positive;
        if (--c->awaited > 0) return 0;
        if (kind == '3') return send_content(c); /* also after a refused recipient: the server waits for a message */
        return done(c, 0);
    case DOT:
        return done(c, positive && !c->failed);
    default:
        return 0;
    }
}

static int readable(struct connection *c) {
    ssize_t got = recv(c->fd, c->reply + c->have, sizeof c->reply - c->have, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
    c->have += (size_t)got;
    char *line = c->reply, *end;
    while ((end = memchr(line, '\n', c->have - (size_t)(line - c->reply)))) {
        if (end - line >= 4 && line[3] != '-' && replied(c, line[0]) < 0) return -1;
        line = end + 1;
    }
    c->have -= (size_t)(line - c->reply);
    memmove(c->reply, line, c->have);
    return c->have == sizeof c->reply ? -1 : 0;
}

/* Begin what is due on connections that are free. */
static void feed(void) {
    static int next;
    uint64_t at = now();
    for (int i = 0; i < connections && begun < messages; i++) {
        if (rate > 0 && (double)(at - began) / 1e9 * rate < (double)begun) return;
        struct connection *c = &all[next = (next + 1) % connections];
        if (c->state == IDLE && begin(c) < 0) ended(c);
    }
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double share(double part) { return accepted ? latency[(long)(part * (double)(accepted - 1))] : 0; }

static void report(void) {
    double seconds = (double)(now() - began) / 1e9;
    qsort(latency, (size_t)accepted, sizeof *latency, by_size);
    printf("{\"accepted\": %ld, \"refused\": %ld, \"lost\": %ld, \"seconds\": %.6f, \"first_refusal\": \"%s\", ", accepted, refused,
           lost, seconds, first_refusal);
    printf("\"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f, \"marks\": [", share(0.5), share(0.99), share(1.0));
    for (int i = 1; i <= 100; i++) printf("%s%.4f", i > 1 ? ", " : "", marks[i]);
    printf("]}\n");
}

int main(int count, char **words) {
    int option, port = 0;
    while ((option = getopt(count, words, "p:c:n:l:r:d:s:t:P")) != -1) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'c': connections = atoi(optarg); break;
        case 'n': messages = atol(optarg); break;
        case 'l': octets = (size_t)atol(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'd': domains = atol(optarg); break;
        case 's': sites = atol(optarg); break;
        case 't': time_limit = atof(optarg); break;
        case 'P': pipelining = 1; break;
        default: return 2;
        }
    if (port <= 0 || connections < 1 || messages < 1 || domains < 1 || sites < 1 || octets < 512) {
        fprintf(stderr, "source: wants -p, and counts of at least 1 (-l: 512)\n");
        return 2;
    }
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    body = malloc(octets + 128), latency = malloc((size_t)messages * sizeof *latency);
    all = calloc((size_t)connections, sizeof *all);
    if (!body || !latency || !all) die("malloc");
    while (body_size + 72 + 256 < octets) memset(body + body_size, 'x', 70), memcpy(body + body_size + 70, "\r\n", 2), body_size += 72;
    memcpy(body + body_size, ".\r\n", 3), body_size += 3;
    epoll_fd = epoll_create1(0);
    began = now();
    for (int i = 0; i < connections; i++) dial(&all[i]);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event tick = {.events = EPOLLIN, .data.ptr = NULL}, ready[64];
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &tick) < 0) die("epoll_ctl");
    /* Without a rate the tick only looks at the time limit. */
    long step = rate > 0 ? (long)(1e9 / rate) : 100000000;
    if (step > 100000000) step = 100000000;
    struct itimerspec every = {.it_interval = {0, step}, .it_value = {0, step}};
    timerfd_settime(timer, 0, &every, NULL);
    while (accepted + refused + lost < messages && (double)(now() - began) / 1e9 < time_limit) {
        int found = epoll_wait(epoll_fd, ready, 64, 1000);
        for (int i = 0; i < found; i++) {
            struct connection *c = ready[i].data.ptr;
            if (!c) {
                uint64_t passed;
                if (read(timer, &passed, sizeof passed) < 0 && errno != EAGAIN) die("timer");
                continue;
            }
            int fine = 0;
            if (ready[i].events & EPOLLOUT) {
                if (c->state == CONNECTING) c->state = BANNER;
                watch(c, EPOLLIN);
                fine = flush(c);
            }
            if (fine == 0 && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) fine = readable(c);
            if (fine < 0) ended(c);
        }
        feed();
    }
    report();
    return 0;
}

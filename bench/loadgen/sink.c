/* An SMTP server that takes everything and counts it: how many messages, which ids twice, how many signed.
 *
 * usage: sink -p port -o counters [-a first address] [-k addresses] [-n ids]
 *
 * It listens on k addresses in a row. The counters are a file that is mapped into memory, so reading them costs it nothing:
 * little-endian u64 messages, unique, twice, unnumbered, signed, first, last (monotonic clock, nanoseconds), then one count per
 * address. A message's id is its field X-Bench-Id, below n.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (256 << 10)
#define HEAD (8 << 10) /* of a message, searched for its fields; longer than any trace and signature here */

struct counters {
    uint64_t messages, unique, twice, unnumbered, is_signed, first, last, by_address[256];
};

struct connection {
    int fd, listens, address, in_data, seen; /* seen: the header was looked at */
    size_t have;
    char *room;
};

static volatile struct counters *counters;
static uint8_t *ids;
static long id_count;
static int epoll_fd;

static void die(const char *what) {
    fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void add(struct connection *c) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) die("epoll_ctl");
}

static void look_at_header(struct connection *c) {
    size_t size = c->have < HEAD ? c->have : HEAD;
    char *end = memmem(c->room, size, "\r\n\r\n", 4);
    if (end) size = (size_t)(end - c->room) + 2;
    char *field = memmem(c->room, size, "X-Bench-Id: ", 12);
    long id = field ? strtol(field + 12, NULL, 10) : -1;
    if (id < 0 || id >= id_count)
        counters->unnumbered++;
    else if (ids[id]++)
        counters->twice++;
    else
        counters->unique++;
    if (memmem(c->room, size, "DKIM-Signature:", 15)) counters->is_signed++;
    c->seen = 1;
}

static void took_message(struct connection *c) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    counters->last = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    if (!counters->first) counters->first = counters->last;
    counters->by_address[c->address]++;
    counters->messages++;
}

static void drop(struct connection *c) {
    close(c->fd);
    free(c->room);
    free(c);
}

/* Replies to what has come, all in one write. Returns -1 if the session is over. */
static int answer(struct connection *c) {
    char out[8192];
    size_t size = 0, at = 0;
    int over = 0;
    while (at < c->have && !over && size < sizeof out - 256) {
        char *text = c->room + at;
        size_t left = c->have - at;
        const char *reply;
        if (c->in_data) {
            char *dot = left >= 3 && !memcmp(text, ".\r\n", 3) && !c->seen ? text - 2 : memmem(text, left, "\r\n.\r\n", 5);
            if (!c->seen && (dot || left >= HEAD)) {
                memmove(c->room, text, left), c->have = left, dot = dot ? dot - at : NULL, at = 0;
                look_at_header(c);
            }
            if (!dot) break;
            at = (size_t)(dot + 5 - c->room);
            c->in_data = 0;
            took_message(c);
            reply = "250 2.0.0 taken\r\n";
        } else {
            char *end = memchr(text, '\n', left);
            if (!end) break;
            at = (size_t)(end + 1 - c->room);
            if (!strncasecmp(text, "DATA", 4)) c->in_data = 1, c->seen = 0, reply = "354 go on\r\n";
            else if (!strncasecmp(text, "EHLO", 4)) reply = "250-sink.bench.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
            else if (!strncasecmp(text, "QUIT", 4)) reply = "221 2.0.0 bye\r\n", over = 1;
            else reply = "250 2.0.0 fine\r\n";
        }
        size_t length = strlen(reply);
        memcpy(out + size, reply, length), size += length;
    }
    /* Of a message whose header was seen only what may begin its end is kept. */
    if (c->in_data && c->seen && c->have - at > 4) at = c->have - 4;
    c->have -= at;
    memmove(c->room, c->room + at, c->have);
    if (size && send(c->fd, out, size, MSG_NOSIGNAL) < (ssize_t)size) return -1;
    return over || c->have == ROOM ? -1 : 0;
}

static void accept_all(struct connection *listener) {
    int fd, one = 1;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        if (!c || !(c->room = malloc(ROOM))) die("malloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd, c->address = listener->address;
        add(c);
        if (send(fd, "220 sink.bench.test ESMTP\r\n", 27, MSG_NOSIGNAL) < 0) drop(c);
    }
}

int main(int count, char **words) {
    int option, port = 0, addresses = 1, one = 1;
    const char *first = "127.0.0.1", *file = NULL;
    while ((option = getopt(count, words, "p:o:a:k:n:")) != -1) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'o': file = optarg; break;
        case 'a': first = optarg; break;
        case 'k': addresses = atoi(optarg); break;
        case 'n': id_count = atol(optarg); break;
        default: return 2;
        }
    if (port <= 0 || !file || addresses < 1 || addresses > 256) {
        fprintf(stderr, "sink: wants -p and -o, and at most 256 addresses\n");
        return 2;
    }
    int shared = open(file, O_RDWR | O_CREAT, 0600);
    if (shared < 0 || ftruncate(shared, sizeof *counters) < 0) die(file);
    counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    ids = calloc((size_t)id_count + 1, 1);
    if (counters == MAP_FAILED || !ids) die("memory");
    epoll_fd = epoll_create1(0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    for (int i = 0; i < addresses; i++) {
        struct connection *c = calloc(1, sizeof *c);
        if (!c || (c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) die("socket");
        setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        place.sin_addr.s_addr = htonl(ntohl(inet_addr(first)) + (uint32_t)i);
        if (bind(c->fd, (struct sockaddr *)&place, sizeof place) < 0 || listen(c->fd, 1024) < 0) die("listen");
        c->listens = 1, c->address = i;
        add(c);
    }
    for (;;) {
        struct epoll_event ready[64];
        int found = epoll_wait(epoll_fd, ready, 64, -1);
        for (int i = 0; i < found; i++) {
            struct connection *c = ready[i].data.ptr;
            if (c->listens) {
                accept_all(c);
                continue;
            }
            ssize_t got = recv(c->fd, c->room + c->have, ROOM - c->have, 0);
            if (got > 0) c->have += (size_t)got;
            if (got == 0 || (got < 0 && errno != EAGAIN) || (got > 0 && answer(c) < 0)) drop(c);
        }
    }
}

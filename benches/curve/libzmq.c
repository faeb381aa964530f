// One end of the benchmark of CURVE with libzmq, in the place of one of Monocoque; see main.rs.
//
//   libzmq ROLE ENDPOINT SIZE COUNT
//
// Roles: `pull` binds and counts, `push` connects and sends; `serve` binds, and `join` connects COUNT times, each time
// with a new socket, and waits for a message. Prints rate and processor time, in messages or handshakes per second and
// nanoseconds each.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

static const char SERVER_SECRET[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
static const char SERVER_PUBLIC[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
static const char CLIENT_SECRET[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
static const char CLIENT_PUBLIC[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

static void check(int failed, const char *what) {
    if (failed) {
        fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static double processor_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static void *server(void *context, int type) {
    const int yes = 1;
    void *socket = zmq_socket(context, type);
    check(!socket, "socket");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes), "ZMQ_CURVE_SERVER");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, SERVER_SECRET, sizeof SERVER_SECRET), "ZMQ_CURVE_SECRETKEY");
    return socket;
}

static void *client(void *context, int type) {
    void *socket = zmq_socket(context, type);
    check(!socket, "socket");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, SERVER_PUBLIC, sizeof SERVER_PUBLIC), "ZMQ_CURVE_SERVERKEY");
    check(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, CLIENT_PUBLIC, sizeof CLIENT_PUBLIC), "ZMQ_CURVE_PUBLICKEY");
    check(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, CLIENT_SECRET, sizeof CLIENT_SECRET), "ZMQ_CURVE_SECRETKEY");
    return socket;
}

static void receive(void *socket) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    check(zmq_msg_recv(&message, socket, 0) < 0, "recv");
    zmq_msg_close(&message);
}

static void report(double time, double used, long count) {
    printf("%.0f %.0f\n", count / time, used * 1e9 / count);
    fflush(stdout);
}

int main(int arguments, char **words) {
    if (arguments != 5) {
        fprintf(stderr, "usage: libzmq pull|push|serve|join ENDPOINT SIZE COUNT\n");
        return 2;
    }
    const char *role = words[1], *endpoint = words[2];
    const size_t size = strtoul(words[3], NULL, 10);
    const long count = strtol(words[4], NULL, 10), warm_up = count / 10;
    void *context = zmq_ctx_new();
    char *body = calloc(1, size + 1);
    if (!strcmp(role, "pull")) {
        void *socket = server(context, ZMQ_PULL);
        check(zmq_bind(socket, endpoint), "bind");
        for (long n = 0; n < warm_up; n++) receive(socket);
        const double start = seconds(), used = processor_seconds();
        for (long n = 0; n < count; n++) receive(socket);
        report(seconds() - start, processor_seconds() - used, count);
    } else if (!strcmp(role, "push")) {
        void *socket = client(context, ZMQ_PUSH);
        check(zmq_connect(socket, endpoint), "connect");
        for (long n = 0; n < warm_up; n++) check(zmq_send(socket, body, size, 0) < 0, "send");
        const double start = seconds(), used = processor_seconds();
        for (long n = 0; n < count; n++) check(zmq_send(socket, body, size, 0) < 0, "send");
        zmq_close(socket);
        zmq_ctx_term(context);
        report(seconds() - start, processor_seconds() - used, count);
    } else if (!strcmp(role, "serve")) {
        void *socket = server(context, ZMQ_PULL);
        check(zmq_bind(socket, endpoint), "bind");
        receive(socket);
        const double start = seconds(), used = processor_seconds();
        for (long n = 1; n < count; n++) receive(socket);
        report(seconds() - start, processor_seconds() - used, count - 1);
    } else {
        const double start = seconds(), used = processor_seconds();
        for (long n = 0; n < count; n++) {
            void *socket = client(context, ZMQ_PUSH);
            check(zmq_connect(socket, endpoint), "connect");
            check(zmq_send(socket, body, size, 0) < 0, "send");
            zmq_close(socket);
        }
        zmq_ctx_term(context);
        report(seconds() - start, processor_seconds() - used, count);
    }
    return 0;
}

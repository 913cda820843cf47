/* The naive C relay that Headrace is measured against: MQTT payload in, the same bytes out as a Kafka value.
 *
 * Nothing is decoded. libmosquitto acknowledges on arrival, so what librdkafka holds when the relay dies is lost;
 * that is the price of its simplicity, and why its CPU a message is a floor, not a rival.
 */
#include <librdkafka/rdkafka.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t stopping;
static bool failed;

struct relay {
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    const char *filter;
};

static void stop(int number) {
    (void)number;
    stopping = 1;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "relay: %s: %s\n", what, why);
    failed = true;
    stopping = 1;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "relay: %s=%s: %s\n", name, value, error);
        exit(2);
    }
}

/* Called for failures only (delivery.report.only.error): a success costs the relay nothing. */
static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    (void)kafka;
    (void)opaque;
    if (message->err)
        fail("Kafka refused a record", rd_kafka_err2str(message->err));
}

static void on_connect(struct mosquitto *client, void *opaque, int code) {
    const struct relay *relay = opaque;
    if (code != 0)
        fail("the broker refused the session", mosquitto_connack_string(code));
    else
        mosquitto_subscribe(client, NULL, relay->filter, 1);
}

static void on_message(struct mosquitto *client, void *opaque, const struct mosquitto_message *message) {
    const struct relay *relay = opaque;
    const char *slash = strrchr(message->topic, '/');
    const char *device = slash ? slash + 1 : message->topic;
    (void)client;
    /* F_BLOCK: a full window (queue.buffering.max.messages) holds the reading of the socket, as Headrace's does. */
    if (rd_kafka_produce(relay->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK,
                         message->payload, (size_t)message->payloadlen, device, strlen(device), NULL) != 0)
        fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
}

static rd_kafka_t *producer(const char *servers, const char *linger, const char *compression, const char *window) {
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", servers);
    set(conf, "acks", "all");
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", linger);
    set(conf, "compression.codec", compression);
    set(conf, "queue.buffering.max.messages", window);
    set(conf, "delivery.report.only.error", "true");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (kafka == NULL) {
        fprintf(stderr, "relay: %s\n", error);
        exit(2);
    }
    return kafka;
}

static rd_kafka_topic_t *open_topic(rd_kafka_t *kafka, const char *name) {
    char error[256];
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    /* Kafka's own default partitioner, so that a device meets the same partition as with other producers. */
    if (rd_kafka_topic_conf_set(conf, "partitioner", "murmur2_random", error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "relay: %s\n", error);
        exit(2);
    }
    return rd_kafka_topic_new(kafka, name, conf);
}

static void run(struct mosquitto *client, struct relay *relay) {
    while (!stopping) {
        int code = mosquitto_loop(client, 100, 1);
        rd_kafka_poll(relay->kafka, 0);
        if (code != MOSQ_ERR_SUCCESS && !stopping)
            fail("MQTT", mosquitto_strerror(code));
    }
    mosquitto_disconnect(client);
    if (rd_kafka_flush(relay->kafka, 30000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail("Kafka", "records were left after 30 s");
}

int main(int count, char **arguments) {
    if (count != 9) {
        fputs("usage: relay MQTT_PORT CLIENT_ID FILTER KAFKA_SERVERS TOPIC LINGER_MS COMPRESSION WINDOW\n", stderr);
        return 2;
    }
    struct relay relay = {.filter = arguments[3]};
    relay.kafka = producer(arguments[4], arguments[6], arguments[7], arguments[8]);
    relay.topic = open_topic(relay.kafka, arguments[5]);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new(arguments[2], false, &relay);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_message_callback_set(client, on_message);
    /* TCP_NODELAY stays off, as is libmosquitto's default: with it each PUBACK is a packet, and 2 us a message dearer. */
    int code = mosquitto_connect(client, "127.0.0.1", atoi(arguments[1]), 60);
    if (code == MOSQ_ERR_SUCCESS)
        run(client, &relay);
    else
        fail("connect", mosquitto_strerror(code));
    mosquitto_destroy(client);
    rd_kafka_topic_destroy(relay.topic);
    rd_kafka_destroy(relay.kafka);
    mosquitto_lib_cleanup();
    return failed ? 1 : 0;
}

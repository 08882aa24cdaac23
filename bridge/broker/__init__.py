"""RabbitMQ: the topology, the publisher and the dead letters."""

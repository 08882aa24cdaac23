"""RabbitMQ as operations set it up: virtual host, queues, and users who may do what they must and nothing else."""

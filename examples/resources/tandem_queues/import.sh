# By name; the project and region are those of the provider.
terraform import tandem_queues.it NAME

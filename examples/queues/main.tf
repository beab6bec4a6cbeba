terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "queues"
}

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source = "../../modules/queues/composite"
}

output "queue_urls" {
  description = "URLs of the queues, by name."
  value       = module.app.work.queue_urls
}

output "dead_letter_queue_urls" {
  description = "URLs of the dead-letter queues, by name of the queue."
  value       = module.app.work.dead_letter_queue_urls
}

output "log_group" {
  description = "Log group with a line for each message that the consumer received."
  value       = module.app.work.consumer_log_group_name
}

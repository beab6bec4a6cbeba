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

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source = "../../modules/queues/composite"
}

output "queue_urls" {
  description = "Send messages here."
  value       = module.app.work.queue_urls
}

output "dead_letter_queue_urls" {
  description = "What nobody could handle ends here."
  value       = module.app.work.dead_letter_queue_urls
}

output "log_group" {
  description = "The consumer writes what it was given here."
  value       = module.app.work.consumer_log_group_name
}

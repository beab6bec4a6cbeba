terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "function-chaining"
}

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source = "../../modules/function-chaining/composite"
}

output "workflow" {
  description = "ARN of the workflow: start it with a `text`, and a time `ready` until which f3 fails."
  value       = module.app.chain.arn
}

output "dead_letters" {
  description = "URL of the queue with executions that failed."
  value       = module.app.chain.dead_letter_queue_url
}

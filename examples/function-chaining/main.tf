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

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source = "../../modules/function-chaining/composite"
}

output "workflow" {
  description = "ARN of the workflow. Its input has a `text`, and optionally `ready`, a Unix time until which f3 fails."
  value       = module.app.chain.arn
}

output "dead_letters" {
  description = "URL of the dead-letter queue with the failed executions."
  value       = module.app.chain.dead_letter_queue_url
}

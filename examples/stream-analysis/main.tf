terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "stream-analysis"
}

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source = "../../modules/stream-analysis/composite"
}

output "stream" {
  description = "Posts go here, each as JSON with its `text`."
  value       = module.app.posts.stream_name
}

output "table" {
  description = "How many posts have a hashtag, by hashtag."
  value       = module.app.counts.table_name
}

output "function" {
  description = "Name of the function that counts."
  value       = module.app.analysis.function_name
}

output "dead_letters" {
  description = "URL of the queue that tells of records which are no posts."
  value       = module.app.analysis.dead_letter_queue_url
}

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

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source = "../../modules/stream-analysis/composite"
}

output "stream" {
  description = "Name of the stream. Each record is a post: JSON with a `text`."
  value       = module.app.posts.stream_name
}

output "table" {
  description = "Table with the number of posts per hashtag."
  value       = module.app.counts.table_name
}

output "function" {
  description = "Name of the counting function."
  value       = module.app.analysis.function_name
}

output "dead_letters" {
  description = "URL of the dead-letter queue for records that are not posts."
  value       = module.app.analysis.dead_letter_queue_url
}

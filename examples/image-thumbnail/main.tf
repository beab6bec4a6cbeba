terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "image-thumbnail"
}

# The module that `tandem generate` makes of tandem.yaml.
module "app" {
  source = "../../modules/image-thumbnail/composite"
}

output "bucket" {
  description = "Upload pictures here, below uploads/; thumbnails come below thumbs/."
  value       = module.app.pictures.bucket
}

output "dead_letters" {
  description = "URL of the queue with the pictures that could not be read."
  value       = module.app.thumbnail.dead_letter_queue_url
}

output "log_group" {
  description = "The function notes each picture here."
  value       = module.app.thumbnail.log_group_name
}

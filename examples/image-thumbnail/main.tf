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

# The module that `tandem generate` writes for tandem.yaml.
module "app" {
  source = "../../modules/image-thumbnail/composite"
}

output "bucket" {
  description = "Bucket for images in uploads/. Their thumbnails are in thumbs/."
  value       = module.app.pictures.bucket
}

output "dead_letters" {
  description = "URL of the dead-letter queue with the events of unreadable images."
  value       = module.app.thumbnail.dead_letter_queue_url
}

output "log_group" {
  description = "Log group with a line for each image."
  value       = module.app.thumbnail.log_group_name
}

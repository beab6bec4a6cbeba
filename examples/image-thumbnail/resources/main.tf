# The same application, written with resources.

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

resource "tandem_bucket" "pictures" {
  name          = "pictures"
  force_destroy = true
}

resource "tandem_event_function" "thumbnail" {
  name          = "thumbnail"
  force_destroy = true

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/thumbnail/bootstrap"
  }

  on {
    bucket = tandem_bucket.pictures.bucket
    prefix = "uploads/"
    suffix = ".png"
  }

  on {
    bucket = tandem_bucket.pictures.bucket
    prefix = "uploads/"
    suffix = ".jpg"
  }

  reads {
    bucket = tandem_bucket.pictures.bucket
    prefix = "uploads/"
  }

  writes {
    bucket = tandem_bucket.pictures.bucket
    prefix = "thumbs/"
  }
}

output "bucket" {
  description = "Bucket for images in uploads/. Their thumbnails are in thumbs/."
  value       = tandem_bucket.pictures.bucket
}

output "dead_letters" {
  description = "URL of the dead-letter queue with the events of unreadable images."
  value       = tandem_event_function.thumbnail.dead_letter_queue_url
}

output "log_group" {
  description = "Log group with a line for each image."
  value       = tandem_event_function.thumbnail.log_group_name
}

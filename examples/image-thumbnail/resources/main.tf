# The same by hand, out of resources.

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
  description = "Upload pictures here, below uploads/; thumbnails come below thumbs/."
  value       = tandem_bucket.pictures.bucket
}

output "dead_letters" {
  description = "URL of the queue with the pictures that could not be read."
  value       = tandem_event_function.thumbnail.dead_letter_queue_url
}

output "log_group" {
  description = "The function notes each picture here."
  value       = tandem_event_function.thumbnail.log_group_name
}

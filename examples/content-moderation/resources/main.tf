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
  project = "content-moderation"
}

variable "function_environment" {
  description = "Environment variables of the function, e.g. MINIMUM_CONFIDENCE or the endpoint of a test double of Rekognition."
  type        = map(string)
  default     = {}
}

resource "tandem_bucket" "uploads" {
  name          = "uploads"
  force_destroy = true
}

resource "tandem_table" "results" {
  name          = "results"
  key           = "image"
  force_destroy = true
}

resource "tandem_queue" "review" {
  name          = "review"
  force_destroy = true
}

resource "tandem_event_function" "moderate" {
  name        = "moderate"
  calls       = ["rekognition:DetectModerationLabels"]
  environment = var.function_environment

  code {
    bootstrap = "${path.module}/../handlers/target/lambda/moderate/bootstrap"
  }

  # The function deletes the object below incoming/ and writes it below another prefix, so the loop ends.
  on {
    bucket     = tandem_bucket.uploads.bucket
    prefix     = "incoming/"
    allow_loop = true
  }

  reads {
    bucket = tandem_bucket.uploads.bucket
    prefix = "incoming/"
  }

  reads {
    table = tandem_table.results.arn
  }

  writes {
    bucket = tandem_bucket.uploads.bucket
  }

  writes {
    table = tandem_table.results.arn
  }

  sends_to {
    queue = tandem_queue.review.arn
  }
}

output "bucket" {
  description = "Upload images here, below incoming/."
  value       = tandem_bucket.uploads.bucket
}

output "table" {
  description = "Table with the labels of each image."
  value       = tandem_table.results.table_name
}

output "queue" {
  description = "URL of the queue of images that wait for a review."
  value       = tandem_queue.review.url
}

output "log_group" {
  description = "Log group with the verdicts of the function."
  value       = tandem_event_function.moderate.log_group_name
}

terraform {
  required_version = ">= 1.11"
  required_providers {
    tandem = {
      source = "tandem/tandem"
    }
  }
}

provider "tandem" {
  project = "upload-notice"
}

# A private bucket. Its name in AWS consists of the project, the name and a hash of account and region.
resource "tandem_bucket" "inbox" {
  name          = "inbox"
  force_destroy = true
}

# A function that runs for every video uploaded to the bucket.
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "${path.module}/handlers/target/lambda/notice/bootstrap"
  }

  on {
    bucket = tandem_bucket.inbox.bucket
    suffix = ".mp4"
  }
}

output "bucket" {
  description = "Bucket for the videos."
  value       = tandem_bucket.inbox.bucket
}

output "log_group" {
  description = "Log group of the function."
  value       = tandem_event_function.notice.log_group_name
}

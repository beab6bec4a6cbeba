resource "tandem_container_task" "ffmpeg" {
  name   = "ffmpeg"
  cpu    = 1024
  memory = 2048

  # Built when its context changes, and pushed to a repository of its own.
  build {
    context = "${path.module}/container"
    args    = { BASE = "mwader/static-ffmpeg:7.1" }
  }

  bucket_access {
    bucket = tandem_bucket.videos.bucket
    read   = ["uploads/"]
    write  = ["thumbnails/"]
  }

  secrets = {
    LICENSE = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:license-AbCdEf"
  }
}

# A function that may start this task and no other.
resource "tandem_event_function" "launcher" {
  name     = "launcher"
  launches = [tandem_container_task.ffmpeg.launch]

  code {
    bootstrap = "${path.module}/handlers/target/lambda/launcher/bootstrap"
  }

  on {
    bucket = tandem_bucket.videos.bucket
    prefix = "uploads/"
    suffix = ".mp4"
  }
}

resource "tandem_bucket" "videos" {
  name = "videos"
}

resource "tandem_thumbnailer" "videos" {
  name           = "videos"
  input_prefix   = "uploads/"
  video_suffixes = [".mp4", ".mov"]
  width          = 320

  task {
    build {
      context = "${path.module}/container"
    }
    cpu    = 1024
    memory = 2048
  }

  launcher {
    code {
      bootstrap = "${path.module}/handlers/target/lambda/launcher/bootstrap"
    }
  }

  on_thumbnail {
    code {
      bootstrap = "${path.module}/handlers/target/lambda/on-thumbnail/bootstrap"
    }
  }
}

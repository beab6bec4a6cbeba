# attribute: video_suffixes
# value: .jpg
resource "tandem_thumbnailer" "videos" {
  name           = "videos"
  video_suffixes = [".mp4", ".jpg"]

  task {
    image = "public.ecr.aws/docker/library/busybox:1"
  }
}

# attribute: suffix
# value: *.mp4
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    bucket = "shop-uploads"
    suffix = "*.mp4"
  }
}

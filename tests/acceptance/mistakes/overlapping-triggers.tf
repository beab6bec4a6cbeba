# attribute: prefix
# value: in/
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    bucket = "shop-uploads"
    prefix = "in/"
  }

  on {
    bucket = "shop-uploads"
    prefix = "in/videos/"
  }
}

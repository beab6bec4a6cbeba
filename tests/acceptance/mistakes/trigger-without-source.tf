# attribute: on
# value: suffix
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    suffix = ".mp4"
  }
}

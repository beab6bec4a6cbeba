# attribute: auth
# value: IAM
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "bootstrap"
  }

  on {
    http = "api"
    auth = "IAM"
  }
}

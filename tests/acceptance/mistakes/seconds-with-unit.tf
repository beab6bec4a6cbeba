# attribute: timeout
# value: 30s
# source: Terraform
resource "tandem_event_function" "notice" {
  name    = "notice"
  timeout = "30s"

  code {
    bootstrap = "bootstrap"
  }
}

# attribute: environment
# value: AWS_REGION
resource "tandem_event_function" "notice" {
  name = "notice"
  environment = {
    AWS_REGION = "eu-central-1"
  }

  code {
    bootstrap = "bootstrap"
  }
}

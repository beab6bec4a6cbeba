# attribute: tags
# value: aws:owner
resource "tandem_event_function" "notice" {
  name = "notice"
  tags = {
    "aws:owner" = "checkout"
  }

  code {
    bootstrap = "bootstrap"
  }
}

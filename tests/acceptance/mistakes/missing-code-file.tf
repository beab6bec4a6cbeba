# attribute: bootstrap
# value: target/lambda/notice/bootstrap
# command: plan
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    bootstrap = "target/lambda/notice/bootstrap"
  }
}

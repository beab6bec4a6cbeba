# attribute: zip
# value: image_uri
resource "tandem_event_function" "notice" {
  name = "notice"

  code {
    zip       = "notice.zip"
    image_uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/notice:1"
  }
}

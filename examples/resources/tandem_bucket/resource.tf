resource "tandem_bucket" "inbox" {
  name = "inbox"

  tags = {
    purpose = "uploads"
  }
}

# attribute: memory
# value: 512
resource "tandem_container_task" "render" {
  name   = "render"
  image  = "public.ecr.aws/docker/library/busybox:1"
  cpu    = 1024
  memory = 512
}

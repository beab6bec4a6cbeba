//! A common but wrong way to count: of two concurrent requests one is lost.

use lambda_runtime::Error;
use serde_json::json;

use crate::Context;
use crate::event::{Request, Response};

pub async fn on_request(request: Request, context: &Context) -> Result<Response, Error> {
    let item = context.routes.get(&[("route", &request.path)]).await?;
    let count = item.and_then(|item| item["requests"].as_i64()).unwrap_or_default() + 1;
    context.routes.put(&json!({ "route": request.path, "requests": count })).await?;
    Ok(Response::text(count))
}

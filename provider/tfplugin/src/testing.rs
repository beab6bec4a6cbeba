//! An in-process client that calls the provider's real services over a connection in memory.

use std::io;

use tokio::io::DuplexStream;
use tokio::sync::watch;
use tonic::transport::server::Router;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::proto::provider_client::ProviderClient;
use crate::provider::Provider;
use crate::rpc::Server;
use crate::serve::{self, MAX_MESSAGE};
use crate::types::Type;
use crate::value::Value;
use crate::{msgpack, proto};

/// A channel to a provider in this process.
pub async fn channel(provider: impl Provider) -> Channel {
    channel_to(serve::router(Server::new(provider), watch::channel(false).0).await).await
}

/// A channel to the services of a router.
pub(crate) async fn channel_to(router: Router) -> Channel {
    let (client, server) = tokio::io::duplex(1 << 20);
    tokio::spawn(router.serve_with_incoming(tokio_stream::once(Ok::<_, io::Error>(server))));
    let mut client = Some(client);
    // The address is never resolved: the connector returns the connection in memory.
    let endpoint = Endpoint::from_static("http://in.memory");
    let connector = Connector(move || client.take());
    endpoint.connect_with_connector(connector).await.expect("a connection in memory")
}

/// A client of a provider in this process.
pub async fn client(provider: impl Provider) -> ProviderClient<Channel> {
    ProviderClient::new(channel(provider).await)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE)
}

/// Encodes a value for a request.
pub fn dynamic(value: &Value, ty: &Type) -> Option<proto::DynamicValue> {
    let msgpack = msgpack::encode(value, ty).expect("the value has the type");
    Some(proto::DynamicValue { msgpack, json: Vec::new() })
}

/// Decodes a value of a response.
pub fn value(dynamic: Option<&proto::DynamicValue>, ty: &Type) -> Value {
    dynamic.map_or(Value::Null, |dynamic| msgpack::decode(&dynamic.msgpack, ty).expect("a value of the type"))
}

struct Connector<F>(F);

impl<F: FnMut() -> Option<DuplexStream>> tower_service::Service<Uri> for Connector<F> {
    type Response = hyper_util::rt::TokioIo<DuplexStream>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream =
            (self.0)().ok_or_else(|| io::Error::other("the connection in memory can be used only once"));
        std::future::ready(stream.map(hyper_util::rt::TokioIo::new))
    }
}

//! Access to AWS for tests: objects by kind and id through the provider's own drivers, and a listing of the
//! whole account. The listing does not depend on tags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_engine::driver::{Class, Driver, Drivers as _, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kinds;
use tandem_testkit::calls::Account;
use terraform_provider_tandem::aws::{Aws as Drivers, Clients, Connection};
use tokio::runtime::Runtime;

pub(crate) struct Aws {
    runtime: Runtime,
    pub(crate) clients: Clients,
    drivers: Drivers,
    account: Account,
}

impl Aws {
    pub(crate) fn new(account: &Account, endpoints: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connection = Connection {
            region: Some(account.region.clone()),
            access_key: Some(account.id.clone()),
            secret_key: Some("test".to_owned()),
            endpoint: Some(account.endpoint.clone()),
            // An emulator answers a call that it does not know with an internal error, again and again.
            max_retries: Some(1),
            endpoints: endpoints
                .iter()
                .map(|(service, url)| ((*service).to_owned(), (*url).to_owned()))
                .collect(),
            ..Connection::default()
        };
        let clients = runtime.block_on(connection.clients()).expect("clients");
        let drivers = Drivers::new(&clients);
        Self { runtime, clients, drivers, account: account.clone() }
    }

    /// Waits for a call.
    pub(crate) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    pub(crate) fn drivers(&self) -> &Drivers {
        &self.drivers
    }

    pub(crate) fn driver(&self, kind: &str) -> &dyn Driver {
        self.drivers.driver(kinds::find(kind).expect("a kind"))
    }

    /// Repeats a call while its failure is a passing one, up to 100 times.
    fn settle<T, F: Future<Output = Result<T, Failure>>>(&self, call: impl Fn() -> F) -> Result<T, Failure> {
        self.wait(async {
            for _ in 0..100 {
                match call().await {
                    Err(Failure { class: Class::Passing(_), .. }) => {
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                    other => return other,
                }
            }
            call().await
        })
    }

    pub(crate) fn observe(&self, kind: &str, id: &str) -> Option<Observed> {
        self.settle(|| self.driver(kind).observe(id)).expect("an observation")
    }

    pub(crate) fn create(&self, kind: &str, settings: &Json) -> String {
        let settings: Settings = settings.as_object().expect("settings").clone().into_iter().collect();
        let tags = Tags::new();
        self.settle(|| self.driver(kind).create(&settings, &tags)).expect("a new object").id
    }

    pub(crate) fn recreate(&self, kind: &str, id: &str, settings: &Settings, tags: &Tags) {
        self.delete(kind, id);
        self.settle(|| self.driver(kind).create(settings, tags)).expect("a new object");
    }

    pub(crate) fn update(
        &self,
        kind: &str,
        id: &str,
        field: &str,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let fields = [field];
        self.settle(|| self.driver(kind).update(id, &fields, settings))?;
        self.settle(|| self.driver(kind).ready(id))
    }

    pub(crate) fn tag(&self, kind: &str, id: &str, tags: &[(&str, &str)]) {
        let tags: Tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.settle(|| self.driver(kind).tag(id, &tags, &[])).expect("tags");
    }

    pub(crate) fn delete(&self, kind: &str, id: &str) {
        while self.settle(|| self.driver(kind).empty(id)).expect("emptying") {}
        self.settle(|| self.driver(kind).delete(id)).expect("a delete");
    }

    /// Everything in the account.
    pub(crate) fn everything(&self) -> BTreeSet<String> {
        self.account.everything().expect("a listing")
    }

    /// The notifications of a bucket, without the order of entries.
    pub(crate) fn notifications(&self, bucket: &str) -> BTreeMap<&'static str, BTreeSet<String>> {
        let request = self.clients.s3.get_bucket_notification_configuration().bucket(bucket);
        let now = self.wait(request.send()).expect("the notifications");
        let texts = |debug: Vec<String>| debug.into_iter().collect::<BTreeSet<_>>();
        BTreeMap::from([
            (
                "functions",
                texts(
                    now.lambda_function_configurations().iter().map(|entry| format!("{entry:?}")).collect(),
                ),
            ),
            ("queues", texts(now.queue_configurations().iter().map(|entry| format!("{entry:?}")).collect())),
            ("topics", texts(now.topic_configurations().iter().map(|entry| format!("{entry:?}")).collect())),
            (
                "event bridge",
                texts(now.event_bridge_configuration().iter().map(|entry| format!("{entry:?}")).collect()),
            ),
        ])
    }
}

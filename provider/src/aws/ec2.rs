//! The EC2 calls for networks and security groups, over the query protocol. The SDK's crate for EC2 takes ten
//! minutes of CPU and 7.5 GiB to build, which is too much for eight calls.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_sts::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use roxmltree::{Document, Node};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::context::Network;
use tandem_model::kind::call::Call;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::ec2::SecurityGroup;
use tandem_model::names;
use tandem_model::ownership::OWNER;
use tandem_model::partition;

use super::failure::{answered, found, gone};
use super::pages;

/// EC2's version of its API, as its reference names it.
const VERSION: &str = "2016-11-15";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of EC2.
#[derive(Clone, Debug)]
pub struct Client {
    connector: SharedHttpConnector,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    endpoint: String,
    /// Maximum number of attempts of a call.
    attempts: u32,
}

/// Longest pause between two attempts, the same as the SDK's.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A failed attempt; `again` is true if another one may succeed.
struct Unanswered {
    failure: Failure,
    again: bool,
}

/// A response, as XML.
struct Answer(String);

impl Answer {
    fn read<T>(&self, read: impl FnOnce(Node<'_, '_>) -> T) -> Result<T, Failure> {
        let document = Document::parse(&self.0)
            .map_err(|error| Failure::local("ec2", format!("the response is not XML: {error}")))?;
        Ok(read(document.root_element()))
    }
}

/// The items of a set, `<subnetSet><item>…`.
fn items<'a>(node: Node<'a, 'a>, set: &str) -> Vec<Node<'a, 'a>> {
    let set = node.children().find(|child| child.has_tag_name_of(set));
    set.into_iter().flat_map(|set| set.children()).filter(|child| child.has_tag_name_of("item")).collect()
}

fn value(node: Node<'_, '_>, name: &str) -> String {
    let child = node.children().find(|child| child.has_tag_name_of(name));
    child.and_then(|child| child.text()).unwrap_or_default().to_owned()
}

trait Named {
    /// Returns true if the node is an element with this name, in any namespace.
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// The endpoint of EC2 in a region.
fn endpoint_of(region: &str) -> String {
    format!("https://ec2.{region}.{}", partition::of_region(region).dns_suffix)
}

impl Client {
    pub(super) fn new(
        connector: SharedHttpConnector,
        credentials: Option<SharedCredentialsProvider>,
        region: &str,
        endpoint: Option<String>,
        attempts: u32,
    ) -> Self {
        Self {
            connector,
            credentials,
            region: region.to_owned(),
            endpoint: endpoint.unwrap_or_else(|| endpoint_of(region)),
            attempts,
        }
    }

    /// Makes a call. Retries throttled calls, lost responses and server errors, like the SDK's clients.
    async fn call(&self, call: Call, parameters: &[(String, String)]) -> Result<Answer, Failure> {
        let mut pause = Duration::from_millis(500);
        let mut attempt = 1;
        loop {
            match self.call_once(call, parameters).await {
                Err(Unanswered { again: true, .. }) if attempt < self.attempts => {}
                result => return result.map_err(|unanswered| unanswered.failure),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn call_once(&self, call: Call, parameters: &[(String, String)]) -> Result<Answer, Unanswered> {
        let operation = call.name();
        let action = operation.trim_start_matches("ec2:");
        let lost =
            |again: bool, message: String| Unanswered { again, failure: Failure::local(operation, message) };
        let mut pairs = vec![("Action".to_owned(), action.to_owned())];
        pairs.push(("Version".to_owned(), VERSION.to_owned()));
        pairs.extend(parameters.iter().cloned());
        let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.signed(body).await.map_err(|message| lost(false, message))?;
        let answer = self.connector.call(request).await;
        let mut answer = answer.map_err(|error| lost(true, format!("{error:?}")))?;
        let status = answer.status().as_u16();
        let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
        let bytes = body.collect().await.map_err(|error| lost(true, error.to_string()))?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status < 300 {
            return Ok(Answer(text));
        }
        let (code, message) = Document::parse(&text)
            .ok()
            .and_then(|document| {
                let error = document.descendants().find(|node| node.has_tag_name_of("Error"))?;
                Some((value(error, "Code"), value(error, "Message")))
            })
            .unwrap_or_else(|| (String::new(), format!("HTTP status {status}")));
        let again = status >= 500 || code == "RequestLimitExceeded" || code.starts_with("Throttling");
        Err(Unanswered { again, failure: answered(operation, &code, &message) })
    }

    async fn signed(&self, body: String) -> Result<HttpRequest, String> {
        let Some(provider) = &self.credentials else { return Err("there are no credentials".to_owned()) };
        let credentials = provider.provide_credentials().await.map_err(|error| error.to_string())?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let content = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = [("content-type", content)];
        let bytes = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", &*self.endpoint, headers.into_iter(), bytes)
            .map_err(|error| error.to_string())?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
        let request = http::Request::post(&self.endpoint).header("content-type", content);
        let mut request = request.body(SdkBody::from(body.as_str())).map_err(|error| error.to_string())?;
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request).map_err(|error| error.to_string())
    }

    /// The default VPC and its subnets; `None` when there is none.
    pub(crate) async fn default_network(&self) -> Result<Option<Network>, Failure> {
        let vpcs = self
            .call(const { Call::declared("ec2:DescribeVpcs") }, &filters(&[("is-default", "true")]))
            .await?;
        let vpc = vpcs.read(|root| items(root, "vpcSet").first().map(|item| value(*item, "vpcId")))?;
        let Some(vpc) = vpc else { return Ok(None) };
        // Subnets that users added may be private, in a local zone, or too many.
        let own = filters(&[("vpc-id", &vpc), ("default-for-az", "true")]);
        let subnets = self.call(const { Call::declared("ec2:DescribeSubnets") }, &own).await?;
        let mut subnets = subnets.read(|root| {
            items(root, "subnetSet").into_iter().map(|item| value(item, "subnetId")).collect::<Vec<_>>()
        })?;
        subnets.sort();
        Ok(Some(Network { vpc, subnets }))
    }

    /// The VPC of a subnet; `None` when there is no such subnet.
    pub(crate) async fn vpc_of(&self, subnet: &str) -> Result<Option<String>, Failure> {
        let parameters = [("SubnetId.1".to_owned(), subnet.to_owned())];
        let Some(found) =
            found(self.call(const { Call::declared("ec2:DescribeSubnets") }, &parameters).await)?
        else {
            return Ok(None);
        };
        found.read(|root| items(root, "subnetSet").first().map(|item| value(*item, "vpcId")))
    }
}

fn filters(filters: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = filters.iter().zip(1..).flat_map(|((name, value), number)| {
        [
            (format!("Filter.{number}.Name"), (*name).to_owned()),
            (format!("Filter.{number}.Value.1"), (*value).to_owned()),
        ]
    });
    pairs.collect()
}

fn tag_parameters(prefix: &str, tags: &Tags) -> Vec<(String, String)> {
    let pairs = tags.iter().zip(1..).flat_map(|((key, value), number)| {
        [(format!("{prefix}.{number}.Key"), key.clone()), (format!("{prefix}.{number}.Value"), value.clone())]
    });
    pairs.collect()
}

/// Security groups without inbound rules.
pub(super) struct SecurityGroups(pub(super) Client);

impl SecurityGroups {
    /// The values that `read` reads from each security group; none when there is no such group.
    async fn describe<T>(
        &self,
        parameters: &[(String, String)],
        read: fn(Node<'_, '_>) -> T,
    ) -> Result<Vec<T>, Failure> {
        let Some(answer) =
            found(self.0.call(const { Call::declared("ec2:DescribeSecurityGroups") }, parameters).await)?
        else {
            return Ok(Vec::new());
        };
        answer.read(|root| items(root, "securityGroupInfo").into_iter().map(read).collect())
    }
}

fn observed(group: Node<'_, '_>) -> Observed {
    let id = value(group, "groupId");
    let tags = items(group, "tagSet").into_iter().map(|tag| (value(tag, "key"), value(tag, "value")));
    Observed {
        settings: Seen::<SecurityGroup>::default()
            .name(value(group, "groupName"))
            .description(value(group, "groupDescription"))
            .vpc_id(value(group, "vpcId"))
            .ingress(rules(group))
            .settings(),
        attributes: [("id".to_owned(), json!(id))].into(),
        tags: tags.collect(),
        id,
    }
}

/// The inbound rules of a security group.
fn rules(group: Node<'_, '_>) -> Vec<Json> {
    items(group, "ipPermissions").into_iter().map(rule).collect()
}

/// An inbound rule as JSON: protocol, ports and sources.
fn rule(rule: Node<'_, '_>) -> Json {
    let sources = |set: &str, name: &str| {
        items(rule, set).into_iter().map(|item| value(item, name)).collect::<Vec<_>>()
    };
    let from = [
        sources("ipRanges", "cidrIp"),
        sources("ipv6Ranges", "cidrIpv6"),
        sources("groups", "groupId"),
        sources("prefixListIds", "prefixListId"),
    ];
    json!({
        "protocol": value(rule, "ipProtocol"),
        "from_port": value(rule, "fromPort"),
        "to_port": value(rule, "toPort"),
        "from": from.concat(),
    })
}

/// The parameters that revoke a rule.
fn revoke(rule: &Json, number: usize) -> Vec<(String, String)> {
    let prefix = format!("IpPermissions.{number}");
    let text = |field: &str| rule[field].as_str().unwrap_or_default().to_owned();
    let mut parameters = vec![(format!("{prefix}.IpProtocol"), text("protocol"))];
    for (field, parameter) in [("from_port", "FromPort"), ("to_port", "ToPort")] {
        if !text(field).is_empty() {
            parameters.push((format!("{prefix}.{parameter}"), text(field)));
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for source in rule["from"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        let (list, name) = match source {
            _ if source.starts_with("sg-") => ("Groups", "GroupId"),
            _ if source.starts_with("pl-") => ("PrefixListIds", "PrefixListId"),
            _ if source.contains(':') => ("Ipv6Ranges", "CidrIpv6"),
            _ => ("IpRanges", "CidrIp"),
        };
        let count = counts.entry(list).or_default();
        *count += 1;
        parameters.push((format!("{prefix}.{list}.{count}.{name}"), source.to_owned()));
    }
    parameters
}

/// The parameters that describe one security group.
fn by_id(id: &str) -> [(String, String); 1] {
    [("GroupId.1".to_owned(), id.to_owned())]
}

fn group_id(id: &str) -> (String, String) {
    ("GroupId".to_owned(), id.to_owned())
}

#[async_trait]
impl Driver for SecurityGroups {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let found = self.describe(&by_id(id), observed).await?;
        Ok(found.into_iter().next())
    }

    /// A group name is unique within a VPC only: prefers a group with an owner tag, then one in the same VPC.
    async fn find(&self, settings: &Settings) -> Result<Option<Observed>, Failure> {
        let wanted = View::<SecurityGroup>::of(settings);
        let mut found = self.describe(&filters(&[("group-name", wanted.name())]), observed).await?;
        let here = |group: &Observed| View::<SecurityGroup>::of(&group.settings).vpc_id() == wanted.vpc_id();
        found.sort_by_key(|group| (!group.tags.contains_key(OWNER), !here(group)));
        let same = |group: &Observed| group.tags.contains_key(OWNER) || here(group);
        Ok(found.into_iter().next().filter(same))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let filter = format!("{}*", names::prefix(project));
        let groups = pages(|token| async {
            let mut parameters = filters(&[("group-name", &filter)]);
            parameters.extend(token.map(|token| ("NextToken".to_owned(), token)));
            let page =
                self.0.call(const { Call::declared("ec2:DescribeSecurityGroups") }, &parameters).await?;
            page.read(|root| {
                let groups = items(root, "securityGroupInfo").into_iter();
                let ids = groups.map(|group| value(group, "groupId")).collect();
                (ids, Some(value(root, "nextToken")))
            })
        });
        groups.await
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let group = View::<SecurityGroup>::of(settings);
        let given = [
            ("GroupName", group.name()),
            ("GroupDescription", group.description()),
            ("VpcId", group.vpc_id()),
        ];
        let mut parameters = given.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        parameters.push(("TagSpecification.1.ResourceType".to_owned(), "security-group".to_owned()));
        parameters.extend(tag_parameters("TagSpecification.1.Tag", tags));
        let id = self
            .0
            .call(const { Call::declared("ec2:CreateSecurityGroup") }, &parameters)
            .await?
            .read(|root| value(root, "groupId"))?;
        Ok(Created { attributes: [("id".to_owned(), json!(id))].into(), id })
    }

    /// Revokes every inbound rule.
    async fn update(&self, id: &str, _fields: &[&str], _settings: &Settings) -> Result<(), Failure> {
        let rules = self.describe(&by_id(id), rules).await?.into_iter().next().unwrap_or_default();
        let mut parameters = vec![group_id(id)];
        parameters.extend(rules.iter().zip(1..).flat_map(|(rule, number)| revoke(rule, number)));
        gone(self.0.call(const { Call::declared("ec2:RevokeSecurityGroupIngress") }, &parameters).await)
    }

    async fn add_tags(&self, id: &str, set: &Tags) -> Result<(), Failure> {
        let mut parameters = vec![("ResourceId.1".to_owned(), id.to_owned())];
        parameters.extend(tag_parameters("Tag", set));
        self.0.call(const { Call::declared("ec2:CreateTags") }, &parameters).await.map(|_| ())
    }

    async fn remove_tags(&self, id: &str, remove: &[String]) -> Result<(), Failure> {
        let mut parameters = vec![("ResourceId.1".to_owned(), id.to_owned())];
        parameters
            .extend(remove.iter().zip(1..).map(|(key, number)| (format!("Tag.{number}.Key"), key.clone())));
        self.0.call(const { Call::declared("ec2:DeleteTags") }, &parameters).await.map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(self.0.call(const { Call::declared("ec2:DeleteSecurityGroup") }, &[group_id(id)]).await)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};

    use super::*;

    /// The resolver of the SDK for ECS knows the domain of each region.
    #[tokio::test]
    async fn the_endpoint_of_every_region_is_in_the_domain_that_the_sdk_uses() {
        let resolver = DefaultResolver::new();
        let regions: Vec<&str> = partition::all().iter().flat_map(|one| one.regions).copied().collect();
        assert!(regions.len() >= 48, "{regions:?}");
        for region in regions {
            let params = Params::builder().region(region).build().expect("parameters");
            let ecs = resolver.resolve_endpoint(&params).await.expect("an endpoint");
            assert_eq!(endpoint_of(region), ecs.url().replacen("ecs", "ec2", 1), "{region}");
        }
    }
}

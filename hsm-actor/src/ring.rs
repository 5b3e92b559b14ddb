//! The region's own keys: root, domain, integrity and region key; in memory, and sealed for the disk.
//! Knows how they wrap each other. File I/O of the sealed form and the clock are the caller's.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    aead,
    error::HsmError,
    frame::Frame,
    octets, random,
    seal::{Seal, SealError},
    secret::{Domain, Integrity, Region, RootKey, SecretKey},
};

/// More domain keys than this are not opened: forty years of daily rotation.
const DOMAINS_MAX: usize = 16_384;
const FORMAT: u8 = 1;
const RING_ID_BYTES: usize = 16;
const REGION_BYTES_MAX: usize = 128;

/// The keys of one region, usable. Lives only in memory.
pub struct KeyRing {
    name: RingName,
    root: Arc<RootKey>,
    // INVARIANT: never empty, numbers ascending; the last is the active one.
    domains: Vec<DomainKey>,
    integrity: Arc<SecretKey<Integrity>>,
    region_key: Arc<SecretKey<Region>>,
}

/// The keys of one region as the disk has them: each wrapped, bound to its role, its number and this ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedRing {
    format: u8,
    name: RingName,
    #[serde(with = "octets")]
    root: Vec<u8>,
    domains: Vec<SealedDomain>,
    #[serde(with = "octets")]
    integrity: Vec<u8>,
    #[serde(with = "octets")]
    region_key: Vec<u8>,
}

/// Why a ring cannot be made, opened or rotated.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    #[error("the key ring stays sealed")]
    Seal(#[from] SealError),
    #[error("the key ring was altered: its {0} does not open")]
    Altered(&'static str),
    #[error("this is not a key ring: {0}")]
    Malformed(&'static str),
    #[error("the sealed ring is not the one that is in use")]
    Foreign,
    #[error("a cipher or the random source failed")]
    Fault,
}

impl From<HsmError> for RingError {
    fn from(_: HsmError) -> Self {
        Self::Fault
    }
}

impl KeyRing {
    /// A new ring with one domain key. `now_ms` is milliseconds since the Unix epoch.
    pub fn create(seal: &dyn Seal, region: &str, now_ms: u64) -> Result<(Self, SealedRing), RingError> {
        if region.len() > REGION_BYTES_MAX {
            return Err(RingError::Malformed("the region's name is too long"));
        }
        let name = RingName { region: region.to_owned(), id: random::nonce::<RING_ID_BYTES>()?.to_vec() };
        let root = RootKey::random()?;
        let integrity = SecretKey::random()?;
        let region_key = SecretKey::random()?;
        let (domain, sealed_domain) = new_domain(&root, &name, 1, now_ms)?;
        let sealed = SealedRing {
            format: FORMAT,
            root: seal.wrap(&root, name.binding("root").bytes())?,
            domains: vec![sealed_domain],
            integrity: aead::boxed(&root, name.binding("integrity").bytes(), integrity.expose())?,
            region_key: aead::boxed(&root, name.binding("region").bytes(), region_key.expose())?,
            name: name.clone(),
        };
        let ring = Self {
            name,
            root: Arc::new(root),
            domains: vec![domain],
            integrity: Arc::new(integrity),
            region_key: Arc::new(region_key),
        };
        Ok((ring, sealed))
    }

    /// Opens every key of `sealed`, or none: one that does not open fails the whole ring.
    pub fn open(seal: &dyn Seal, sealed: &SealedRing) -> Result<Self, RingError> {
        sealed.check_shape()?;
        let name = sealed.name.clone();
        let root = seal.unwrap(&sealed.root, name.binding("root").bytes())?;
        let integrity = Arc::new(open_role(&root, &name, "integrity", &sealed.integrity)?);
        let region_key = Arc::new(open_role(&root, &name, "region", &sealed.region_key)?);
        let domains = sealed.domains.iter().map(|domain| domain.open(&root, &name)).collect::<Result<_, _>>()?;
        Ok(Self { name, root: Arc::new(root), domains, integrity, region_key })
    }

    /// This ring with a new active domain key, and its sealed form.
    ///
    /// `sealed` is the current sealed form, perhaps after [`SealedRing::retire_before`]: a domain key that it no
    /// longer has leaves the memory too. Write the new form to disk before installing the new ring.
    pub fn rotated(&self, sealed: &SealedRing, now_ms: u64) -> Result<(Self, SealedRing), RingError> {
        sealed.check_shape()?;
        let newest = sealed.domains.last().map(|domain| (domain.number, domain.created_ms));
        if sealed.name != self.name || newest != Some((self.active_domain(), self.active_since())) {
            return Err(RingError::Foreign);
        }
        let number = self.active_domain().checked_add(1).ok_or(RingError::Fault)?;
        // A clock set back must not make the new key look older than the one before it.
        let (domain, sealed_domain) = new_domain(&self.root, &self.name, number, now_ms.max(self.active_since()))?;
        let kept = |key: &&DomainKey| sealed.domains.iter().any(|sealed| sealed.number == key.number);
        let mut domains: Vec<_> = self.domains.iter().filter(kept).cloned().collect();
        domains.push(domain);
        let mut sealed = sealed.clone();
        sealed.domains.push(sealed_domain);
        sealed.check_shape()?;
        let ring = Self {
            name: self.name.clone(),
            root: Arc::clone(&self.root),
            domains,
            integrity: Arc::clone(&self.integrity),
            region_key: Arc::clone(&self.region_key),
        };
        Ok((ring, sealed))
    }

    /// The region that the ring was made for.
    pub fn region(&self) -> &str {
        &self.name.region
    }

    /// The number of the domain key that wraps what is wrapped now.
    pub fn active_domain(&self) -> u32 {
        self.domains.last().map_or(0, |domain| domain.number)
    }

    /// When the active domain key was made, in milliseconds since the Unix epoch.
    pub fn active_since(&self) -> u64 {
        self.domains.last().map_or(0, |domain| domain.created_ms)
    }

    pub(crate) fn active(&self) -> Option<(u32, &SecretKey<Domain>)> {
        self.domains.last().map(|domain| (domain.number, &*domain.key))
    }

    pub(crate) fn domain(&self, number: u32) -> Option<&SecretKey<Domain>> {
        let position = self.domains.binary_search_by_key(&number, |domain| domain.number).ok()?;
        self.domains.get(position).map(|domain| &*domain.key)
    }

    pub(crate) fn integrity(&self) -> &SecretKey<Integrity> {
        &self.integrity
    }

    pub(crate) fn region_key(&self) -> &SecretKey<Region> {
        &self.region_key
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[KEY RING {}, {} domain keys]", self.name.region, self.domains.len())
    }
}

impl SealedRing {
    /// The region that the ring was made for; unproven until the ring is opened.
    pub fn region(&self) -> &str {
        &self.name.region
    }

    /// The domain keys that stopped being active before `cutoff_ms`; never the active one.
    pub fn superseded_before(&self, cutoff_ms: u64) -> Vec<u32> {
        let successors = self.domains.iter().skip(1);
        let pairs = self.domains.iter().zip(successors);
        pairs.filter(|(_, successor)| successor.created_ms < cutoff_ms).map(|(domain, _)| domain.number).collect()
    }

    /// Drops what [`SealedRing::superseded_before`] lists and returns those numbers.
    ///
    /// What is still wrapped under a dropped key never opens again: re-wrap it first.
    pub fn retire_before(&mut self, cutoff_ms: u64) -> Vec<u32> {
        let retired = self.superseded_before(cutoff_ms);
        self.domains.retain(|domain| !retired.contains(&domain.number));
        retired
    }

    fn check_shape(&self) -> Result<(), RingError> {
        if self.format != FORMAT {
            return Err(RingError::Malformed("its format is unknown"));
        }
        if self.name.id.len() != RING_ID_BYTES || self.name.region.len() > REGION_BYTES_MAX {
            return Err(RingError::Malformed("its name has the wrong length"));
        }
        if self.domains.is_empty() || self.domains.len() > DOMAINS_MAX {
            return Err(RingError::Malformed("it has no domain keys, or too many"));
        }
        if !self.domains.is_sorted_by(|one, next| one.number < next.number) {
            return Err(RingError::Malformed("its domain keys are out of order"));
        }
        Ok(())
    }
}

/// Which ring a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RingName {
    region: String,
    #[serde(with = "octets")]
    id: Vec<u8>,
}

impl RingName {
    fn binding(&self, role: &str) -> Frame {
        Frame::new("kannuki/ring/v1").field(role.as_bytes()).field(self.region.as_bytes()).field(&self.id)
    }

    fn domain_binding(&self, number: u32, created_ms: u64) -> Frame {
        self.binding("domain").fixed(number.to_be_bytes()).fixed(created_ms.to_be_bytes())
    }
}

#[derive(Clone)]
struct DomainKey {
    number: u32,
    created_ms: u64,
    key: Arc<SecretKey<Domain>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedDomain {
    number: u32,
    created_ms: u64,
    #[serde(with = "octets")]
    bytes: Vec<u8>,
}

impl SealedDomain {
    fn open(&self, root: &RootKey, name: &RingName) -> Result<DomainKey, RingError> {
        let binding = name.domain_binding(self.number, self.created_ms);
        let key =
            aead::unboxed_key(root, binding.bytes(), &self.bytes).map_err(|_| RingError::Altered("domain key"))?;
        Ok(DomainKey { number: self.number, created_ms: self.created_ms, key: Arc::new(key) })
    }
}

fn open_role<K>(root: &RootKey, name: &RingName, role: &'static str, bytes: &[u8]) -> Result<SecretKey<K>, RingError> {
    aead::unboxed_key(root, name.binding(role).bytes(), bytes).map_err(|_| RingError::Altered(role))
}

fn new_domain(
    root: &RootKey,
    name: &RingName,
    number: u32,
    created_ms: u64,
) -> Result<(DomainKey, SealedDomain), RingError> {
    let key = SecretKey::random()?;
    let bytes = aead::boxed(root, name.domain_binding(number, created_ms).bytes(), key.expose())?;
    Ok((DomainKey { number, created_ms, key: Arc::new(key) }, SealedDomain { number, created_ms, bytes }))
}

#[cfg(test)]
mod tests;

//! Which columns the matrix has: services grouped by domain. When they do not all fit, one domain is open — that of the
//! selected column — and every other is folded into one column.

use std::collections::BTreeSet;

use crate::model::id::{DomainId, ServiceId};
use crate::model::snapshot::{Service, Snapshot};

/// A column of the matrix.
#[derive(Debug, Clone)]
pub(super) enum Column<'a> {
    Service(&'a Service),
    /// A domain that is folded: its name and its services.
    Domain(&'a DomainId, Vec<&'a Service>),
}

impl<'a> Column<'a> {
    /// The domain that it is of.
    pub(super) fn domain(&self) -> Option<&'a DomainId> {
        match self {
            Self::Service(service) => service.domain.as_ref(),
            Self::Domain(domain, _) => Some(domain),
        }
    }

    /// Its services.
    pub(super) fn services(&self) -> &[&'a Service] {
        match self {
            Self::Service(service) => std::slice::from_ref(service),
            Self::Domain(_, services) => services,
        }
    }

    pub(super) fn is_folded(&self) -> bool {
        matches!(self, Self::Domain(..))
    }
}

/// The columns and the place of the chosen one. `across` counts services from the left; `room` is how many columns fit.
pub(super) fn columns(snapshot: &Snapshot, across: usize, room: usize) -> (Vec<Column<'_>>, usize) {
    let services = services(snapshot);
    let across = across.min(services.len().saturating_sub(1));
    if services.len() <= room {
        return (services.into_iter().map(Column::Service).collect(), across);
    }
    let chosen = services.get(across).copied();
    let open = chosen.and_then(|service| service.domain.as_ref());
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut at = 0;
    for service in services {
        match (&service.domain, columns.last_mut()) {
            (Some(domain), Some(Column::Domain(last, folded))) if *last == domain => folded.push(service),
            (Some(domain), _) if Some(domain) != open => columns.push(Column::Domain(domain, vec![service])),
            _ => {
                if chosen.is_some_and(|chosen| chosen.id == service.id) {
                    at = columns.len();
                }
                columns.push(Column::Service(service));
            }
        }
    }
    (columns, at)
}

/// Services that have to do with an entity, by domain; those without one last.
fn services(snapshot: &Snapshot) -> Vec<&Service> {
    let mut related: BTreeSet<&ServiceId> = BTreeSet::new();
    for entity in &snapshot.entities {
        related.extend(entity.owners.iter().map(|owner| &owner.service));
        related.extend(entity.replicas.iter().map(|replica| &replica.service));
        related.extend(entity.readers.iter().map(|reader| &reader.service));
        related.extend(&entity.reactors);
    }
    let all = snapshot.services.iter().map(|service| &**service);
    let mut services: Vec<&Service> = all.filter(|service| related.contains(&service.id)).collect();
    // They are sorted by id already, and the sort keeps that order within a domain.
    services.sort_by(|a, b| (a.domain.is_none(), &a.domain).cmp(&(b.domain.is_none(), &b.domain)));
    services
}

//! Who is connected, who is being answered, and whom to ask to leave. Pure bookkeeping.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use tokio_util::sync::CancellationToken;
use wapid_core::id::{KeyId, TenantId};

use super::{Bounds, Errand, Full};

/// A connection, by its number.
pub(super) type SeatNumber = u64;

/// What a request holds of its tenant's share.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub tenant: Option<TenantId>,
    /// It follows the log with this key.
    pub follows: Option<KeyId>,
}

#[derive(Debug)]
pub(super) struct Crowd {
    bounds: Bounds,
    /// The next number and the next moment: later ones are larger.
    next: u64,
    seats: HashMap<SeatNumber, Seated>,
    idle: HashMap<Group, BTreeMap<u64, SeatNumber>>,
    /// Groups by how many of them are idle, strangers above all tenants.
    sizes: BTreeSet<(bool, usize, Group)>,
    /// Idle strangers, of all groups.
    strangers: usize,
    /// Connections that carry a tenant's request.
    busy: usize,
    tenants: HashMap<TenantId, Share>,
    streams_of_keys: HashMap<KeyId, usize>,
}

#[derive(Debug)]
struct Seated {
    group: Group,
    /// Since when nothing of a tenant's is carried on it; `None` while it is.
    idle_since: Option<u64>,
    leave: CancellationToken,
}

/// Whose idle connections count together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Group {
    /// Of the tenant whose request came last.
    Tenant(TenantId),
    /// Nobody known ever asked anything on them.
    Strangers(IpAddr),
}

#[derive(Debug, Default)]
struct Share {
    requests: usize,
    streams: usize,
}

impl Crowd {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            next: 0,
            seats: HashMap::new(),
            idle: HashMap::new(),
            sizes: BTreeSet::new(),
            strangers: 0,
            busy: 0,
            tenants: HashMap::new(),
            streams_of_keys: HashMap::new(),
        }
    }

    /// A connection from `address`. Where all seats are taken, one that carries nothing is asked to leave; `None`
    /// while there is none such.
    pub(super) fn enter(&mut self, address: IpAddr, leave: CancellationToken) -> Option<SeatNumber> {
        if self.seats.len() >= self.bounds.connections {
            self.send_away()?;
        }
        let number = self.tick();
        let group = Group::Strangers(neighbourhood(address));
        self.note_idle(&group, number, number);
        self.seats.insert(number, Seated { group, idle_since: Some(number), leave });
        Some(number)
    }

    /// Asks the connection to leave that has been idle for longest in the largest group; strangers go first, unless
    /// they are few.
    fn send_away(&mut self) -> Option<()> {
        let of_tenants = || self.sizes.iter().rev().find(|(is_strangers, ..)| !is_strangers);
        let few = self.strangers <= self.bounds.strangers;
        let largest = if few { of_tenants() } else { None };
        let (_, _, group) = largest.or(self.sizes.last())?.clone();
        let (_, number) = self.idle.get(&group)?.first_key_value()?;
        let number = *number;
        if let Some(gone) = self.remove(number) {
            gone.leave.cancel();
        }
        Some(())
    }

    /// A request begins on it; `false` where it was asked to leave.
    pub(super) fn begin(&mut self, number: SeatNumber) -> bool {
        let now = self.tick();
        let Some(seat) = self.seats.get_mut(&number) else { return false };
        if let Some(since) = seat.idle_since.replace(now) {
            let group = seat.group.clone();
            self.forget_idle(&group, since);
            self.note_idle(&group, now, number);
        }
        true
    }

    /// The request is of this tenant: it is answered, whoever else comes, if its tenant has room.
    pub(super) fn admit(
        &mut self,
        number: SeatNumber,
        held: &mut Held,
        tenant: &TenantId,
        errand: Errand,
    ) -> Result<(), Full> {
        if held.tenant.is_some() {
            return Ok(());
        }
        let Some(since) = self.seats.get(&number).map(|seat| seat.idle_since) else {
            return Err(Full::Gateway);
        };
        let Bounds { requests, requests_when_full, .. } = self.bounds;
        let own = self.tenants.get(tenant).map_or(0, |share| share.requests);
        if own >= requests {
            return Err(Full::Tenant(requests));
        }
        let is_reserved = errand == Errand::Send && own < requests_when_full;
        let most = if is_reserved { self.bounds.busy_with_sends } else { self.bounds.busy };
        if self.busy >= most {
            return Err(Full::Gateway);
        }
        if let Some(since) = since {
            let group = self.seats.get(&number).map(|seat| seat.group.clone());
            group.into_iter().for_each(|group| self.forget_idle(&group, since));
        }
        if let Some(seat) = self.seats.get_mut(&number) {
            (seat.idle_since, seat.group) = (None, Group::Tenant(tenant.clone()));
        }
        self.busy += 1;
        self.tenants.entry(tenant.clone()).or_default().requests += 1;
        held.tenant = Some(tenant.clone());
        Ok(())
    }

    /// An admitted request follows the log from now on.
    pub(super) fn follow(&mut self, held: &mut Held, key: &KeyId) -> Result<(), Full> {
        let Some(tenant) = held.tenant.as_ref().filter(|_| held.follows.is_none()) else { return Ok(()) };
        let Bounds { streams, streams_of_key, .. } = self.bounds;
        if self.streams_of_keys.get(key).is_some_and(|count| *count >= streams_of_key) {
            return Err(Full::StreamsOfKey(streams_of_key));
        }
        let share = self.tenants.entry(tenant.clone()).or_default();
        if share.streams >= streams {
            return Err(Full::Streams(streams));
        }
        share.streams += 1;
        *self.streams_of_keys.entry(key.clone()).or_default() += 1;
        held.follows = Some(key.clone());
        Ok(())
    }

    /// A request is answered, or given up.
    pub(super) fn end(&mut self, number: SeatNumber, held: Held) {
        let Held { tenant: Some(tenant), follows } = held else { return };
        self.busy -= 1;
        if let Some(share) = self.tenants.get_mut(&tenant) {
            share.requests -= 1;
            share.streams -= usize::from(follows.is_some());
            if share.requests == 0 {
                self.tenants.remove(&tenant);
            }
        }
        if let Some(key) = follows
            && let Some(count) = self.streams_of_keys.get_mut(&key)
        {
            *count -= 1;
            if *count == 0 {
                self.streams_of_keys.remove(&key);
            }
        }
        let now = self.tick();
        if let Some(seat) = self.seats.get_mut(&number) {
            seat.idle_since = Some(now);
            let group = seat.group.clone();
            self.note_idle(&group, now, number);
        }
    }

    /// The connection is closed.
    pub(super) fn leave(&mut self, number: SeatNumber) {
        self.remove(number);
    }

    fn remove(&mut self, number: SeatNumber) -> Option<Seated> {
        let gone = self.seats.remove(&number)?;
        if let Some(since) = gone.idle_since {
            self.forget_idle(&gone.group, since);
        }
        Some(gone)
    }

    fn note_idle(&mut self, group: &Group, since: u64, number: SeatNumber) {
        let idle = self.idle.entry(group.clone()).or_default();
        let before = idle.len();
        idle.insert(since, number);
        let after = idle.len();
        self.resize(group, before, after);
    }

    fn forget_idle(&mut self, group: &Group, since: u64) {
        let Some(idle) = self.idle.get_mut(group) else { return };
        let before = idle.len();
        idle.remove(&since);
        let after = idle.len();
        if after == 0 {
            self.idle.remove(group);
        }
        self.resize(group, before, after);
    }

    fn resize(&mut self, group: &Group, before: usize, after: usize) {
        let is_strangers = matches!(group, Group::Strangers(_));
        if is_strangers {
            self.strangers = self.strangers + after - before;
        }
        self.sizes.remove(&(is_strangers, before, group.clone()));
        if after > 0 {
            self.sizes.insert((is_strangers, after, group.clone()));
        }
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Whoever has one address of IPv6 has its 2^64 neighbours.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        connections: 6,
        busy: 3,
        busy_with_sends: 5,
        requests: 3,
        requests_when_full: 1,
        streams: 2,
        streams_of_key: 1,
        strangers: 1,
    };

    struct Guest {
        number: SeatNumber,
        leave: CancellationToken,
        held: Held,
    }

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn enter(crowd: &mut Crowd, last: u8) -> Option<Guest> {
        let leave = CancellationToken::new();
        let number = crowd.enter(address(last), leave.clone())?;
        Some(Guest { number, leave, held: Held::default() })
    }

    fn ask(crowd: &mut Crowd, guest: &mut Guest, tenant: &str, errand: Errand) -> Result<(), Full> {
        assert!(crowd.begin(guest.number));
        crowd.admit(guest.number, &mut guest.held, &TenantId(tenant.into()), errand)
    }

    fn end(crowd: &mut Crowd, guest: &mut Guest) {
        crowd.end(guest.number, std::mem::take(&mut guest.held));
    }

    #[test]
    fn the_oldest_idle_stranger_of_the_largest_crowd_leaves_first() {
        let mut crowd = Crowd::new(BOUNDS);
        let mut known = enter(&mut crowd, 9).unwrap();
        ask(&mut crowd, &mut known, "shop", Errand::Other).unwrap();
        end(&mut crowd, &mut known);
        let alone = enter(&mut crowd, 1).unwrap();
        let many: Vec<Guest> = (0..4).map(|_| enter(&mut crowd, 2).unwrap()).collect();
        // The oldest of the four said something: it is the newest by that.
        assert!(crowd.begin(many[0].number));
        enter(&mut crowd, 3).unwrap();
        let gone: Vec<bool> = many.iter().map(|guest| guest.leave.is_cancelled()).collect();
        assert_eq!(gone, [false, true, false, false]);
        assert!(!crowd.begin(many[1].number), "it may ask nothing any more");
        for _ in 0..20 {
            enter(&mut crowd, 3).unwrap();
        }
        assert!(!known.leave.is_cancelled(), "strangers go before whom a tenant's key was shown");
        assert!(!alone.leave.is_cancelled(), "and one who came alone goes after a crowd");
    }

    #[test]
    fn idle_connections_of_a_tenant_leave_a_few_strangers_their_seats() {
        let mut crowd = Crowd::new(Bounds { strangers: 2, ..BOUNDS });
        let mut idle: Vec<Guest> = (0..6).map(|_| enter(&mut crowd, 1).unwrap()).collect();
        for guest in &mut idle {
            ask(&mut crowd, guest, "shop", Errand::Other).unwrap();
            end(&mut crowd, guest);
        }
        let health = enter(&mut crowd, 2).unwrap();
        enter(&mut crowd, 2).unwrap();
        enter(&mut crowd, 3).unwrap();
        assert!(!health.leave.is_cancelled(), "it has not been answered yet");
        let gone = idle.iter().filter(|guest| guest.leave.is_cancelled()).count();
        assert_eq!(gone, 3);
        // More of them make room for each other.
        enter(&mut crowd, 3).unwrap();
        assert!(health.leave.is_cancelled());
    }

    #[test]
    fn who_is_being_answered_is_never_sent_away() {
        let mut crowd = Crowd::new(Bounds { busy: 6, requests: 6, ..BOUNDS });
        let mut busy: Vec<Guest> = (0..6).map(|_| enter(&mut crowd, 1).unwrap()).collect();
        for guest in &mut busy {
            ask(&mut crowd, guest, "shop", Errand::Other).unwrap();
        }
        assert!(enter(&mut crowd, 2).is_none(), "nobody carries nothing");
        end(&mut crowd, &mut busy[3]);
        enter(&mut crowd, 2).unwrap();
        let gone: Vec<bool> = busy.iter().map(|guest| guest.leave.is_cancelled()).collect();
        assert_eq!(gone, [false, false, false, true, false, false]);
    }

    #[test]
    fn a_full_gateway_takes_sends_of_who_has_little() {
        let mut crowd = Crowd::new(BOUNDS);
        let mut guests: Vec<Guest> = (0..6).map(|_| enter(&mut crowd, 1).unwrap()).collect();
        let [first, second, third, fourth, fifth, sixth] = &mut guests[..] else { unreachable!("six") };
        for guest in [first, second] {
            ask(&mut crowd, guest, "large", Errand::Other).unwrap();
        }
        ask(&mut crowd, third, "large", Errand::Send).unwrap();
        assert_eq!(ask(&mut crowd, fourth, "large", Errand::Other), Err(Full::Tenant(3)));
        assert_eq!(ask(&mut crowd, fourth, "small", Errand::Other), Err(Full::Gateway));
        ask(&mut crowd, fourth, "small", Errand::Send).unwrap();
        assert_eq!(ask(&mut crowd, fifth, "small", Errand::Send), Err(Full::Gateway), "it has its one");
        ask(&mut crowd, fifth, "third", Errand::Send).unwrap();
        assert_eq!(
            ask(&mut crowd, sixth, "fourth", Errand::Send),
            Err(Full::Gateway),
            "one seat stays for health"
        );
    }

    #[test]
    fn streams_have_bounds_for_keys_and_tenants() {
        let mut crowd = Crowd::new(BOUNDS);
        let mut guests: Vec<Guest> = (0..3).map(|_| enter(&mut crowd, 1).unwrap()).collect();
        let keys: Vec<KeyId> = (0..3).map(|number| KeyId(format!("key_{number}"))).collect();
        for guest in &mut guests {
            ask(&mut crowd, guest, "shop", Errand::Other).unwrap();
        }
        crowd.follow(&mut guests[0].held, &keys[0]).unwrap();
        assert_eq!(crowd.follow(&mut guests[1].held, &keys[0]), Err(Full::StreamsOfKey(1)));
        crowd.follow(&mut guests[1].held, &keys[1]).unwrap();
        assert_eq!(crowd.follow(&mut guests[2].held, &keys[2]), Err(Full::Streams(2)));
        end(&mut crowd, &mut guests[0]);
        crowd.follow(&mut guests[2].held, &keys[0]).unwrap();
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let mut crowd = Crowd::new(BOUNDS);
        let mut guests: Vec<Guest> = (0..3).map(|_| enter(&mut crowd, 1).unwrap()).collect();
        for guest in &mut guests {
            ask(&mut crowd, guest, "shop", Errand::Other).unwrap();
        }
        crowd.follow(&mut guests[0].held, &KeyId("key".into())).unwrap();
        // In both orders: an upgraded connection outlives its request, a broken one does not.
        crowd.leave(guests[0].number);
        guests.iter_mut().for_each(|guest| end(&mut crowd, guest));
        guests.iter().for_each(|guest| crowd.leave(guest.number));
        assert!(crowd.seats.is_empty() && crowd.idle.is_empty() && crowd.sizes.is_empty());
        assert_eq!(crowd.strangers, 0);
        assert!(crowd.tenants.is_empty() && crowd.streams_of_keys.is_empty());
        assert_eq!(crowd.busy, 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_neighbour() {
        let [a, b, c]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        assert_eq!(neighbourhood(a), neighbourhood(b));
        assert_ne!(neighbourhood(a), neighbourhood(c));
        assert_eq!(neighbourhood("::ffff:192.0.2.1".parse().unwrap()), address(1));
    }
}

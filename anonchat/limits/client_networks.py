"""The networks that an IP address belongs to: rate limits and shares per address count by these."""

import ipaddress

Networks = tuple[tuple[str, float], ...]
"""The networks that a client belongs to, each with the weight of one use or place there."""

_WIDE_WEIGHT = 0.25


def client_networks(address: str) -> Networks:
    """Return the networks of an IP address, the smallest first, each with the weight of one use.

    An IPv4 address is a network by itself. An IPv6 address belongs to its /64 and to the /48 around
    it, whose limit is four times as high: a subscriber with a /48 has 65,536 networks of size /64.
    Any other text is returned as the only network.

    >>> client_networks("2001:db8::1")
    (('2001:db8::/64', 1.0), ('2001:db8::/48', 0.25))
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ((address, 1.0),)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            narrow, wide = (ipaddress.ip_network((parsed, n), strict=False) for n in (64, 48))
            return (str(narrow), 1.0), (str(wide), _WIDE_WEIGHT)
        parsed = parsed.ipv4_mapped
    return ((str(parsed), 1.0),)


def client_network(address: str) -> str:
    """Return the IPv4 address itself, or the /64 of an IPv6 address.

    >>> client_network("2001:db8::1") == client_network("2001:db8::2")
    True
    """
    return client_networks(address)[0][0]

"""Encryption, keys, secret phrases, proof of work and process hardening."""

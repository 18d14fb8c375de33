#!/usr/bin/env python3
"""Makes vectors.json from docs/sealed-format.md alone: a second implementation, sharing no code with Appliance.Vault.

    python3 make_vectors.py > vectors.json        (needs the 'cryptography' package)

Everything is fixed but the tree head's signature, which ECDSA randomises.
"""
import base64, hashlib, hmac, json, struct, uuid
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CHUNK = 65536
APPLIANCE_KEY = bytes(range(0x00, 0x20))
TEAM_KEY = bytes(range(0x40, 0x60))
TEAM = uuid.UUID("019aa2f0-5c00-7000-8000-00000000a11a")
TEAM_NONCE = bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaab")


def wrap(wrapping_key, key, associated, nonce):
    return nonce + AESGCM(wrapping_key).encrypt(nonce, key, associated)


def key_id_of(key):
    return hmac.new(key, b"appliance key id", hashlib.sha256).digest()[:8]


def derive(purpose):
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(APPLIANCE_KEY)


def plain_bytes(length):
    return bytes((i * 131 + (i >> 8)) & 0xFF for i in range(length))


def seal(name, obj, plain, n):
    object_key = bytes((0x80 + n + i) & 0xFF for i in range(32))
    prefix = bytes([0xB0 + n] * 7)
    wrap_nonce = bytes([0xC0 + n] * 12)
    fixed = b"APSO\x01\x01\0\0" + struct.pack(">I", CHUNK) + prefix + b"\0" + TEAM.bytes + obj.bytes
    sealed = fixed + wrap(TEAM_KEY, object_key, fixed, wrap_nonce)
    chunks = [plain[at:at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
    for i, chunk in enumerate(chunks):
        nonce = prefix + struct.pack(">IB", i, i == len(chunks) - 1)
        sealed += AESGCM(object_key).encrypt(nonce, chunk, fixed)
    return {
        "name": name, "object": str(obj), "objectKey": object_key.hex(), "noncePrefix": prefix.hex(), "wrapNonce": wrap_nonce.hex(),
        "plainLength": len(plain), "plainSha256": hashlib.sha256(plain).hexdigest(),
        "header": sealed[:112].hex(), "sealedLength": len(sealed), "sealedSha256": hashlib.sha256(sealed).hexdigest(),
        "sealed": sealed.hex() if len(sealed) < 1024 else None,
    }


key_id = key_id_of(APPLIANCE_KEY)
team_head = b"APTK\0\0\0\x01" + key_id + TEAM.bytes
lengths = [0, 1, 5, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 100]
objects = [
    seal(f"{length} bytes", uuid.UUID(f"019aa2f0-5c00-7000-8000-0000000000{n:02x}"), plain_bytes(length), n)
    for n, length in enumerate(lengths)]

blob_data, blob_nonce = b"a one-time code's secret", bytes([0xD0] * 12)
blob = b"\x01" + blob_nonce + AESGCM(derive("appliance blob v1: totp")).encrypt(blob_nonce, blob_data, b"\x01")

# After rotating the appliance key and then the team's: the old ones are held beside the new ones.
next_appliance_key, next_team_key = bytes(range(0x20, 0x40)), bytes(range(0x60, 0x80))
kept_head = b"APAK\0\0\0\x01" + key_id_of(next_appliance_key) + key_id + struct.pack(">q", 1795294800000000)
kept = kept_head + wrap(next_appliance_key, APPLIANCE_KEY, kept_head, bytes([0xE0] * 12))
ring_head = b"APTK\0\0\0\x02" + key_id_of(next_appliance_key) + TEAM.bytes + struct.pack(">II", 2, 2)
ring = ring_head
for place, (superseded, key) in enumerate([(0, next_team_key), (1795294800000001, TEAM_KEY)]):
    ring += struct.pack(">q", superseded) + wrap(next_appliance_key, key, ring_head + struct.pack(">Iq", place, superseded), bytes([0xE1 + place] * 12))

signing_key = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
tree, size, root, micros = uuid.UUID("019aa2f0-5c00-7000-8000-000000007ee0"), 8, hashlib.sha256(b"root").digest(), 1795294800123456
head = b"appliance tree head v1\n\0" + tree.bytes + struct.pack(">q", size) + root + struct.pack(">q", micros)
r, s = utils.decode_dss_signature(signing_key.sign(head, ec.ECDSA(hashes.SHA256())))

print(json.dumps({
    "note": "made by make_vectors.py; plain byte i is (i * 131 + (i >> 8)) mod 256",
    "applianceKeyFile": "appliance-key-v1:" + base64.b64encode(APPLIANCE_KEY).decode() + "\n",
    "applianceKeyId": key_id.hex(),
    "derived": {"purpose": "a purpose", "key": derive("a purpose").hex()},
    "team": str(TEAM), "teamKey": TEAM_KEY.hex(), "teamKeyFile": (team_head + wrap(APPLIANCE_KEY, TEAM_KEY, team_head, TEAM_NONCE)).hex(),
    "objects": objects,
    "blob": {"purpose": "totp", "data": blob_data.hex(), "blob": blob.hex()},
    "mac": {"purpose": "ledger", "data": "00ff",
            "mac": hmac.new(derive("appliance mac v1: ledger"), b"\x00\xff", hashlib.sha256).hexdigest()},
    "rotated": {
        "applianceKeyFile": "appliance-key-v1:" + base64.b64encode(next_appliance_key).decode() + "\n",
        "keptFile": f"appliance.key.{key_id.hex()}.{key_id_of(next_appliance_key).hex()}.kept", "kept": kept.hex(),
        "teamKey": next_team_key.hex(), "teamKeyFile": ring.hex()},
    "treeHead": {
        "privateKey": signing_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
        "publicKey": signing_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo).hex(),
        "tree": str(tree), "size": size, "root": root.hex(), "signedAtMicroseconds": micros,
        "encoded": head.hex(), "signature": (r.to_bytes(32, "big") + s.to_bytes(32, "big")).hex()},
}, indent=2))

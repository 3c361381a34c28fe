"""The content of PS3 as data: tags, VRs, UIDs, MAC algorithms, and which elements give meaning."""

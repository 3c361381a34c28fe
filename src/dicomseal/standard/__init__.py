"""What PS3 says, as data: tags, VRs, UIDs, MAC algorithms, and which elements mean what."""

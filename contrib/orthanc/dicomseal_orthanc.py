"""Orthanc's PythonScript for dicomseal (docs/orthanc.md): without dicomseal nothing is stored."""

import orthanc

try:
    from dicomseal.orthanc import register
except BaseException as error:  # noqa: BLE001 - not verified is not accepted
    orthanc.LogError(f"dicomseal: everything is refused: {error!r}")
    refused = (orthanc.ReceivedInstanceAction.MODIFY, b"refused: there is no dicomseal")
    orthanc.RegisterReceivedInstanceCallback(lambda *_: refused)
    orthanc.RegisterIncomingCStoreInstanceFilter(lambda _: 0xA700)
else:
    register(orthanc)

"""Orthanc's PythonScript for dicomseal (docs/orthanc.md): without dicomseal nothing is stored."""

import orthanc

try:
    from dicomseal.orthanc import register
except BaseException as error:  # noqa: BLE001 - not verified is not accepted
    refused = (orthanc.ReceivedInstanceAction.MODIFY, b"refused: there is no dicomseal")
    orthanc.RegisterReceivedInstanceCallback(lambda *_: refused)
    orthanc.RegisterIncomingCStoreInstanceFilter(lambda _: 0xA700)
    orthanc.LogError(f"dicomseal: everything is refused: {error!a}")
else:
    register(orthanc)

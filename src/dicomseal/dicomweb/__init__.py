"""DICOM over HTTP (PS3.18): addresses, multipart bodies, retrieving; needs the extra ``[gate]``."""

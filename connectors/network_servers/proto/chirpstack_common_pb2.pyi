from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Modulation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LORA: _ClassVar[Modulation]
    FSK: _ClassVar[Modulation]
    LR_FHSS: _ClassVar[Modulation]

class LocationSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN: _ClassVar[LocationSource]
    GPS: _ClassVar[LocationSource]
    CONFIG: _ClassVar[LocationSource]
    GEO_RESOLVER_TDOA: _ClassVar[LocationSource]
    GEO_RESOLVER_RSSI: _ClassVar[LocationSource]
    GEO_RESOLVER_GNSS: _ClassVar[LocationSource]
    GEO_RESOLVER_WIFI: _ClassVar[LocationSource]

class DeviceClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLASS_A: _ClassVar[DeviceClass]
    CLASS_B: _ClassVar[DeviceClass]
    CLASS_C: _ClassVar[DeviceClass]

class Regulation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REGULATION_UNKNOWN: _ClassVar[Regulation]
    ETSI_EN_300_220: _ClassVar[Regulation]
LORA: Modulation
FSK: Modulation
LR_FHSS: Modulation
UNKNOWN: LocationSource
GPS: LocationSource
CONFIG: LocationSource
GEO_RESOLVER_TDOA: LocationSource
GEO_RESOLVER_RSSI: LocationSource
GEO_RESOLVER_GNSS: LocationSource
GEO_RESOLVER_WIFI: LocationSource
CLASS_A: DeviceClass
CLASS_B: DeviceClass
CLASS_C: DeviceClass
REGULATION_UNKNOWN: Regulation
ETSI_EN_300_220: Regulation

class Location(_message.Message):
    __slots__ = ("latitude", "longitude", "altitude", "source", "accuracy")
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    ALTITUDE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    latitude: float
    longitude: float
    altitude: float
    source: LocationSource
    accuracy: float
    def __init__(self, latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., altitude: _Optional[float] = ..., source: _Optional[_Union[LocationSource, str]] = ..., accuracy: _Optional[float] = ...) -> None: ...

class JoinServerContext(_message.Message):
    __slots__ = ("session_key_id",)
    SESSION_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    session_key_id: str
    def __init__(self, session_key_id: _Optional[str] = ...) -> None: ...

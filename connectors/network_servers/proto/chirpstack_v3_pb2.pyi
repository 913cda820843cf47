import datetime

from connectors.network_servers.proto import chirpstack_common_pb2 as _chirpstack_common_pb2
from connectors.network_servers.proto import chirpstack_gw_pb2 as _chirpstack_gw_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UplinkRXInfo(_message.Message):
    __slots__ = ("gateway_id", "time", "time_since_gps_epoch", "rssi", "lora_snr", "channel", "rf_chain", "board", "antenna", "location", "context", "uplink_id", "crc_status")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_SINCE_GPS_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RSSI_FIELD_NUMBER: _ClassVar[int]
    LORA_SNR_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    RF_CHAIN_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    ANTENNA_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    UPLINK_ID_FIELD_NUMBER: _ClassVar[int]
    CRC_STATUS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: bytes
    time: _timestamp_pb2.Timestamp
    time_since_gps_epoch: _duration_pb2.Duration
    rssi: int
    lora_snr: float
    channel: int
    rf_chain: int
    board: int
    antenna: int
    location: Location
    context: bytes
    uplink_id: bytes
    crc_status: _chirpstack_gw_pb2.CRCStatus
    def __init__(self, gateway_id: _Optional[bytes] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_since_gps_epoch: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rssi: _Optional[int] = ..., lora_snr: _Optional[float] = ..., channel: _Optional[int] = ..., rf_chain: _Optional[int] = ..., board: _Optional[int] = ..., antenna: _Optional[int] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., context: _Optional[bytes] = ..., uplink_id: _Optional[bytes] = ..., crc_status: _Optional[_Union[_chirpstack_gw_pb2.CRCStatus, str]] = ...) -> None: ...

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
    source: _chirpstack_common_pb2.LocationSource
    accuracy: int
    def __init__(self, latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., altitude: _Optional[float] = ..., source: _Optional[_Union[_chirpstack_common_pb2.LocationSource, str]] = ..., accuracy: _Optional[int] = ...) -> None: ...

class UplinkTXInfo(_message.Message):
    __slots__ = ("frequency", "modulation", "lora_modulation_info", "fsk_modulation_info", "lr_fhss_modulation_info")
    FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    MODULATION_FIELD_NUMBER: _ClassVar[int]
    LORA_MODULATION_INFO_FIELD_NUMBER: _ClassVar[int]
    FSK_MODULATION_INFO_FIELD_NUMBER: _ClassVar[int]
    LR_FHSS_MODULATION_INFO_FIELD_NUMBER: _ClassVar[int]
    frequency: int
    modulation: _chirpstack_common_pb2.Modulation
    lora_modulation_info: LoRaModulationInfo
    fsk_modulation_info: _chirpstack_gw_pb2.FskModulationInfo
    lr_fhss_modulation_info: LRFHSSModulationInfo
    def __init__(self, frequency: _Optional[int] = ..., modulation: _Optional[_Union[_chirpstack_common_pb2.Modulation, str]] = ..., lora_modulation_info: _Optional[_Union[LoRaModulationInfo, _Mapping]] = ..., fsk_modulation_info: _Optional[_Union[_chirpstack_gw_pb2.FskModulationInfo, _Mapping]] = ..., lr_fhss_modulation_info: _Optional[_Union[LRFHSSModulationInfo, _Mapping]] = ...) -> None: ...

class LoRaModulationInfo(_message.Message):
    __slots__ = ("bandwidth", "spreading_factor", "code_rate", "polarization_inversion")
    BANDWIDTH_FIELD_NUMBER: _ClassVar[int]
    SPREADING_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CODE_RATE_FIELD_NUMBER: _ClassVar[int]
    POLARIZATION_INVERSION_FIELD_NUMBER: _ClassVar[int]
    bandwidth: int
    spreading_factor: int
    code_rate: str
    polarization_inversion: bool
    def __init__(self, bandwidth: _Optional[int] = ..., spreading_factor: _Optional[int] = ..., code_rate: _Optional[str] = ..., polarization_inversion: _Optional[bool] = ...) -> None: ...

class LRFHSSModulationInfo(_message.Message):
    __slots__ = ("operating_channel_width", "code_rate", "grid_steps")
    OPERATING_CHANNEL_WIDTH_FIELD_NUMBER: _ClassVar[int]
    CODE_RATE_FIELD_NUMBER: _ClassVar[int]
    GRID_STEPS_FIELD_NUMBER: _ClassVar[int]
    operating_channel_width: int
    code_rate: str
    grid_steps: int
    def __init__(self, operating_channel_width: _Optional[int] = ..., code_rate: _Optional[str] = ..., grid_steps: _Optional[int] = ...) -> None: ...

class DownlinkTXInfo(_message.Message):
    __slots__ = ("gateway_id", "frequency", "power", "modulation", "lora_modulation_info", "fsk_modulation_info", "board", "antenna", "context")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    MODULATION_FIELD_NUMBER: _ClassVar[int]
    LORA_MODULATION_INFO_FIELD_NUMBER: _ClassVar[int]
    FSK_MODULATION_INFO_FIELD_NUMBER: _ClassVar[int]
    BOARD_FIELD_NUMBER: _ClassVar[int]
    ANTENNA_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    gateway_id: bytes
    frequency: int
    power: int
    modulation: _chirpstack_common_pb2.Modulation
    lora_modulation_info: LoRaModulationInfo
    fsk_modulation_info: _chirpstack_gw_pb2.FskModulationInfo
    board: int
    antenna: int
    context: bytes
    def __init__(self, gateway_id: _Optional[bytes] = ..., frequency: _Optional[int] = ..., power: _Optional[int] = ..., modulation: _Optional[_Union[_chirpstack_common_pb2.Modulation, str]] = ..., lora_modulation_info: _Optional[_Union[LoRaModulationInfo, _Mapping]] = ..., fsk_modulation_info: _Optional[_Union[_chirpstack_gw_pb2.FskModulationInfo, _Mapping]] = ..., board: _Optional[int] = ..., antenna: _Optional[int] = ..., context: _Optional[bytes] = ...) -> None: ...

class UplinkEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "rx_info", "tx_info", "adr", "dr", "f_cnt", "f_port", "data", "object_json", "tags", "confirmed_uplink", "dev_addr", "published_at", "device_profile_id", "device_profile_name")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    RX_INFO_FIELD_NUMBER: _ClassVar[int]
    TX_INFO_FIELD_NUMBER: _ClassVar[int]
    ADR_FIELD_NUMBER: _ClassVar[int]
    DR_FIELD_NUMBER: _ClassVar[int]
    F_CNT_FIELD_NUMBER: _ClassVar[int]
    F_PORT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    OBJECT_JSON_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_UPLINK_FIELD_NUMBER: _ClassVar[int]
    DEV_ADDR_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_PROFILE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_PROFILE_NAME_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    rx_info: _containers.RepeatedCompositeFieldContainer[UplinkRXInfo]
    tx_info: UplinkTXInfo
    adr: bool
    dr: int
    f_cnt: int
    f_port: int
    data: bytes
    object_json: str
    tags: _containers.ScalarMap[str, str]
    confirmed_uplink: bool
    dev_addr: bytes
    published_at: _timestamp_pb2.Timestamp
    device_profile_id: str
    device_profile_name: str
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., rx_info: _Optional[_Iterable[_Union[UplinkRXInfo, _Mapping]]] = ..., tx_info: _Optional[_Union[UplinkTXInfo, _Mapping]] = ..., adr: _Optional[bool] = ..., dr: _Optional[int] = ..., f_cnt: _Optional[int] = ..., f_port: _Optional[int] = ..., data: _Optional[bytes] = ..., object_json: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., confirmed_uplink: _Optional[bool] = ..., dev_addr: _Optional[bytes] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., device_profile_id: _Optional[str] = ..., device_profile_name: _Optional[str] = ...) -> None: ...

class JoinEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "dev_addr", "rx_info", "tx_info", "dr", "tags", "published_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    DEV_ADDR_FIELD_NUMBER: _ClassVar[int]
    RX_INFO_FIELD_NUMBER: _ClassVar[int]
    TX_INFO_FIELD_NUMBER: _ClassVar[int]
    DR_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    dev_addr: bytes
    rx_info: _containers.RepeatedCompositeFieldContainer[UplinkRXInfo]
    tx_info: UplinkTXInfo
    dr: int
    tags: _containers.ScalarMap[str, str]
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., dev_addr: _Optional[bytes] = ..., rx_info: _Optional[_Iterable[_Union[UplinkRXInfo, _Mapping]]] = ..., tx_info: _Optional[_Union[UplinkTXInfo, _Mapping]] = ..., dr: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AckEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "acknowledged", "f_cnt", "tags", "published_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    F_CNT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    acknowledged: bool
    f_cnt: int
    tags: _containers.ScalarMap[str, str]
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., acknowledged: _Optional[bool] = ..., f_cnt: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TxAckEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "f_cnt", "tags", "gateway_id", "tx_info", "published_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    F_CNT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    TX_INFO_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    f_cnt: int
    tags: _containers.ScalarMap[str, str]
    gateway_id: bytes
    tx_info: DownlinkTXInfo
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., f_cnt: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., gateway_id: _Optional[bytes] = ..., tx_info: _Optional[_Union[DownlinkTXInfo, _Mapping]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ErrorEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "type", "error", "f_cnt", "tags", "published_at")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[ErrorEvent.Type]
        DOWNLINK_PAYLOAD_SIZE: _ClassVar[ErrorEvent.Type]
        DOWNLINK_FCNT: _ClassVar[ErrorEvent.Type]
        UPLINK_CODEC: _ClassVar[ErrorEvent.Type]
        DOWNLINK_CODEC: _ClassVar[ErrorEvent.Type]
        OTAA: _ClassVar[ErrorEvent.Type]
        UPLINK_FCNT_RESET: _ClassVar[ErrorEvent.Type]
        UPLINK_MIC: _ClassVar[ErrorEvent.Type]
        UPLINK_FCNT_RETRANSMISSION: _ClassVar[ErrorEvent.Type]
        DOWNLINK_GATEWAY: _ClassVar[ErrorEvent.Type]
    UNKNOWN: ErrorEvent.Type
    DOWNLINK_PAYLOAD_SIZE: ErrorEvent.Type
    DOWNLINK_FCNT: ErrorEvent.Type
    UPLINK_CODEC: ErrorEvent.Type
    DOWNLINK_CODEC: ErrorEvent.Type
    OTAA: ErrorEvent.Type
    UPLINK_FCNT_RESET: ErrorEvent.Type
    UPLINK_MIC: ErrorEvent.Type
    UPLINK_FCNT_RETRANSMISSION: ErrorEvent.Type
    DOWNLINK_GATEWAY: ErrorEvent.Type
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    F_CNT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    type: ErrorEvent.Type
    error: str
    f_cnt: int
    tags: _containers.ScalarMap[str, str]
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., type: _Optional[_Union[ErrorEvent.Type, str]] = ..., error: _Optional[str] = ..., f_cnt: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StatusEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "margin", "external_power_source", "battery_level_unavailable", "battery_level", "tags", "published_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_POWER_SOURCE_FIELD_NUMBER: _ClassVar[int]
    BATTERY_LEVEL_UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    BATTERY_LEVEL_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    margin: int
    external_power_source: bool
    battery_level_unavailable: bool
    battery_level: float
    tags: _containers.ScalarMap[str, str]
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., margin: _Optional[int] = ..., external_power_source: _Optional[bool] = ..., battery_level_unavailable: _Optional[bool] = ..., battery_level: _Optional[float] = ..., tags: _Optional[_Mapping[str, str]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LocationEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "location", "tags", "uplink_ids", "f_cnt", "published_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    UPLINK_IDS_FIELD_NUMBER: _ClassVar[int]
    F_CNT_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    location: Location
    tags: _containers.ScalarMap[str, str]
    uplink_ids: _containers.RepeatedScalarFieldContainer[bytes]
    f_cnt: int
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., uplink_ids: _Optional[_Iterable[bytes]] = ..., f_cnt: _Optional[int] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class IntegrationEvent(_message.Message):
    __slots__ = ("application_id", "application_name", "device_name", "dev_eui", "tags", "integration_name", "event_type", "object_json", "published_at")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    DEV_EUI_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    INTEGRATION_NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_JSON_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    application_id: int
    application_name: str
    device_name: str
    dev_eui: bytes
    tags: _containers.ScalarMap[str, str]
    integration_name: str
    event_type: str
    object_json: str
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[int] = ..., application_name: _Optional[str] = ..., device_name: _Optional[str] = ..., dev_eui: _Optional[bytes] = ..., tags: _Optional[_Mapping[str, str]] = ..., integration_name: _Optional[str] = ..., event_type: _Optional[str] = ..., object_json: _Optional[str] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

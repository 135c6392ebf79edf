/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helix-wire.h - the bytes that guest and host exchange.
 *
 * Included by both sides and by the tests, so it holds constants and layouts only and depends on nothing but C99.
 * docs/protocol.md specifies it. Everything is little-endian and packed; nothing here may be
 * read or written by casting a buffer to a struct: use the offsets (hosts and guests of other byte orders exist,
 * and buffers are not aligned).
 *
 * "frozen" marks what guests and hosts in the field already speak: it never changes by a byte.
 */
#ifndef HELIX_WIRE_H
#define HELIX_WIRE_H

/* ---- message header: 12 bytes before every message (frozen) ---- */

#define HELIX_WIRE_MAGIC 0x52465848u /* the bytes "HXFR" */
#define HELIX_WIRE_HEADER_SIZE 12u
#define HELIX_WIRE_HEADER_MAGIC 0u   /* u32 */
#define HELIX_WIRE_HEADER_TYPE 4u    /* u8 */
#define HELIX_WIRE_HEADER_FLAGS 5u   /* u8 */
#define HELIX_WIRE_HEADER_SESSION 6u /* u16: names one stream on the connection */
#define HELIX_WIRE_HEADER_PAYLOAD 8u /* u32: bytes that follow the header */

#define HELIX_WIRE_DEFAULT_PORT 5000u

/* ---- message types ---- */

#define HELIX_MSG_FRAME_REQUEST 0x01u  /* guest to host, frozen */
#define HELIX_MSG_FRAME_RESPONSE 0x02u /* host to guest, frozen */
#define HELIX_MSG_KEYFRAME_REQ 0x03u   /* guest to host, frozen */
#define HELIX_MSG_CONFIG_REQ 0x04u     /* guest to host, frozen (28 bytes); longer form if negotiated */
#define HELIX_MSG_CONFIG_RESP 0x05u    /* host to guest */
#define HELIX_MSG_FRAME_RELEASED 0x06u /* host to guest */
#define HELIX_MSG_SESSION_CLOSE 0x07u  /* guest to host */
#define HELIX_MSG_SNAPSHOT 0x08u       /* guest to host */
#define HELIX_MSG_SNAPSHOT_DONE 0x09u  /* host to guest */
#define HELIX_MSG_SNAPSHOT_DROP 0x0Au  /* guest to host */
#define HELIX_MSG_PING 0x10u           /* guest to host, frozen */
#define HELIX_MSG_PONG 0x11u           /* host to guest, frozen */
#define HELIX_MSG_RESERVED_FIRST 0x20u /* 0x20..0x31: spoken in the field for other things */
#define HELIX_MSG_RESERVED_LAST 0x31u
#define HELIX_MSG_ERROR 0xFFu /* host to guest, frozen */

/* ---- flags of FRAME_REQUEST ---- */

#define HELIX_REQUEST_PIXEL_DATA 0x01u /* frozen: resource_id 0, the pixels follow */
#define HELIX_REQUEST_TIMING 0x02u     /* answer ends with a timing block */
#define HELIX_REQUEST_RELEASE 0x04u    /* send FRAME_RELEASED as soon as it is true */
#define HELIX_REQUEST_EXT 0x08u        /* EXT block behind the 44 bytes */
#define HELIX_REQUEST_REPEAT 0x10u     /* resource_id 0: encode the stream's last picture again */
#define HELIX_REQUEST_SNAPSHOT 0x20u   /* resource_id is the number of a snapshot */

/* ---- flags of FRAME_RESPONSE, CONFIG_REQ, ERROR ---- */

#define HELIX_RESPONSE_TIMING 0x02u        /* 32 bytes of timing after the last NAL */
#define HELIX_RESPONSE_DROPPED 0x04u       /* the encoder dropped the frame; nal_count is 0 */
#define HELIX_CONFIG_ANSWER 0x01u          /* answer CONFIG_REQ with CONFIG_RESP */
#define HELIX_ERROR_FLAGS_CONNECTION 0xFFu /* ERROR about the connection, not about a message */

/* ---- FRAME_REQUEST payload (frozen: the first 44 bytes) ---- */

#define HELIX_REQUEST_SIZE 44u
#define HELIX_REQUEST_RESOURCE_ID 0u /* u32 */
#define HELIX_REQUEST_WIDTH 4u       /* u32: of the picture, after cropping */
#define HELIX_REQUEST_HEIGHT 8u      /* u32 */
#define HELIX_REQUEST_FORMAT 12u     /* u32: DRM fourcc */
#define HELIX_REQUEST_STRIDE 16u     /* u32: bytes; ignored for textures */
#define HELIX_REQUEST_PTS 20u        /* i64: ns, comes back untouched */
#define HELIX_REQUEST_DURATION 28u   /* i64: ns */
#define HELIX_REQUEST_FORCE_KEY 36u  /* u8, then 7 reserved */

/* EXT block: its own size first; a longer block is read as far as it is known. */
#define HELIX_EXT_SIZE 52u       /* the block as known here */
#define HELIX_EXT_BLOCK_SIZE 0u  /* u16: bytes of the block, this field included */
#define HELIX_EXT_SOURCE 2u      /* u8: HELIX_SOURCE_ values */
#define HELIX_EXT_PLANES 3u      /* u8: 1 to 3; 0 means that offset and stride say nothing */
#define HELIX_EXT_CROP_X 4u      /* u32 */
#define HELIX_EXT_CROP_Y 8u      /* u32 */
#define HELIX_EXT_RES_WIDTH 12u  /* u32: the whole resource's, before cropping; 0 as picture */
#define HELIX_EXT_RES_HEIGHT 16u /* u32 */
#define HELIX_EXT_OFFSET 20u     /* u32[3]: bytes */
#define HELIX_EXT_STRIDE 32u     /* u32[3]: bytes */
#define HELIX_EXT_MODIFIER 44u   /* u64: DRM format modifier */

#define HELIX_SOURCE_AUTO 0u /* the texture where there is one */
#define HELIX_SOURCE_TEXTURE 1u
#define HELIX_SOURCE_PAGES 2u /* the guest's backing pages */

/* ---- SNAPSHOT payload: as a FRAME_REQUEST's, whose pts, duration and force_keyframe are reserved; in their place ----
 */

#define HELIX_SNAPSHOT_NUMBER 40u /* u32: chosen by the guest; not 0 */

/* ---- SNAPSHOT_DONE and SNAPSHOT_DROP payloads ---- */

#define HELIX_SNAPSHOT_DONE_SIZE 264u
#define HELIX_SNAPSHOT_DONE_NUMBER 0u  /* u32 */
#define HELIX_SNAPSHOT_DONE_CODE 4u    /* i32: 0, or HELIX_CODE_ values */
#define HELIX_SNAPSHOT_DONE_MESSAGE 8u /* char[256], NUL-terminated, as an ERROR's */
#define HELIX_SNAPSHOT_DROP_SIZE 4u    /* u32: the number */

/* ---- FRAME_RESPONSE payload (frozen) ---- */

#define HELIX_RESPONSE_SIZE 24u
#define HELIX_RESPONSE_PTS 0u          /* i64 */
#define HELIX_RESPONSE_DTS 8u          /* i64 */
#define HELIX_RESPONSE_IS_KEYFRAME 16u /* u8, then 3 reserved */
#define HELIX_RESPONSE_NAL_COUNT 20u   /* u32; then per entry u32 size and that many bytes */

/* Timing block: i64 each, nanoseconds of the host's monotonic clock. */
#define HELIX_TIMING_SIZE 32u
#define HELIX_TIMING_RECEIVED 0u
#define HELIX_TIMING_RESOLVED 8u
#define HELIX_TIMING_SUBMITTED 16u
#define HELIX_TIMING_ENCODED 24u

/* ---- CONFIG_REQ payload: 28 bytes frozen, 44 in the longer form, 56 with the VUI ---- */

#define HELIX_CONFIG_SIZE 28u
#define HELIX_CONFIG_WIDTH 0u     /* u32: coded size; 0 follows the frames */
#define HELIX_CONFIG_HEIGHT 4u    /* u32 */
#define HELIX_CONFIG_BITRATE 8u   /* u32: bit/s; 0 automatic or unchanged */
#define HELIX_CONFIG_FPS_NUM 12u  /* u32 */
#define HELIX_CONFIG_FPS_DEN 16u  /* u32; 0 with fps_num set is an error */
#define HELIX_CONFIG_PROFILE 20u  /* u8: 66, 77, 100 */
#define HELIX_CONFIG_LEVEL 21u    /* u8: level times 10 */
#define HELIX_CONFIG_REALTIME 22u /* u8 */
#define HELIX_CONFIG_CODEC 23u    /* u8: 0 H.264; then 4 reserved */

#define HELIX_CONFIG_LONG_SIZE 44u
#define HELIX_CONFIG_MAX_BITRATE 28u  /* u32: bit/s */
#define HELIX_CONFIG_KEY_INT_MAX 32u  /* u32: frames, 0 none */
#define HELIX_CONFIG_RATE_CONTROL 36u /* u8: HELIX_RATE_ values */
#define HELIX_CONFIG_MIN_QP 37u       /* u8; 0 automatic */
#define HELIX_CONFIG_MAX_QP 38u       /* u8; 0 automatic */
#define HELIX_CONFIG_SLICES 39u       /* u8; 0 automatic */
#define HELIX_CONFIG_AUD 40u          /* u8: access unit delimiters; then 3 reserved */

/* VUI of the sequence parameter set (H.264, E.2.1): behind the longer form, if HELIX_CAP_VUI was negotiated. All 0: the
 * default. */
#define HELIX_CONFIG_VUI_SIZE 56u
#define HELIX_CONFIG_SAR_WIDTH 44u  /* u16: sample aspect ratio; both 0: 1:1 */
#define HELIX_CONFIG_SAR_HEIGHT 46u /* u16 */
#define HELIX_CONFIG_PRIMARIES 48u  /* u8: colour_primaries; 0 BT.709, as the next two */
#define HELIX_CONFIG_TRANSFER 49u   /* u8: transfer_characteristics */
#define HELIX_CONFIG_MATRIX 50u     /* u8: matrix_coefficients */
#define HELIX_CONFIG_FULL_RANGE 51u /* u8: video_full_range_flag */
#define HELIX_CONFIG_CHROMA_LOC 52u /* u8: chroma_sample_loc_type plus 1; 0 not said */
#define HELIX_CONFIG_LETTERBOX 53u  /* u8: HELIX_CAP_LETTERBOX; then 2 reserved */

#define HELIX_RATE_AUTO 0u
#define HELIX_RATE_CBR 1u
#define HELIX_RATE_VBR 2u
#define HELIX_RATE_CQP 3u /* constant quality: min_qp is the quantiser */

/* ---- CONFIG_RESP payload: the longer form, then ---- */

#define HELIX_CONFIG_RESP_SIZE 84u
#define HELIX_CONFIG_RESP_IN_FLIGHT 44u /* u32: max_in_flight */
#define HELIX_CONFIG_RESP_CAPS 48u      /* u32: HELIX_CAP_ bits */
#define HELIX_CONFIG_RESP_ENCODER 52u   /* char[32], NUL-terminated */
#define HELIX_CONFIG_RESP_ENCODER_SIZE 32u

#define HELIX_CONFIG_RESP_VUI_SIZE 96u /* in answer to a CONFIG_REQ of 56 bytes: ends with its last 12, in force */
#define HELIX_CONFIG_RESP_VUI 84u

#define HELIX_CAP_EXT 0x01u
#define HELIX_CAP_RELEASE 0x02u
#define HELIX_CAP_TIMING 0x04u
#define HELIX_CAP_REPEAT 0x08u
#define HELIX_CAP_LONG_CONFIG 0x10u
#define HELIX_CAP_SESSION_CLOSE 0x20u
#define HELIX_CAP_NV12_PAGES 0x40u /* source 2: NV12 in the pages of any resource */
#define HELIX_CAP_VUI 0x80u        /* CONFIG_REQ of 56 bytes: aspect ratio and colours */
#define HELIX_CAP_SNAPSHOT 0x100u  /* SNAPSHOT, SNAPSHOT_DROP, and frames of snapshots */
#define HELIX_CAP_LETTERBOX 0x200u /* pictures of another shape than the coded size's get black borders */
#define HELIX_CAP_ALL 0x3FFu

/* ---- FRAME_RELEASED payload ---- */

#define HELIX_RELEASED_SIZE 16u
#define HELIX_RELEASED_PTS 0u         /* i64 */
#define HELIX_RELEASED_RESOURCE_ID 8u /* u32, then u32 0 */

/* ---- ERROR payload (frozen) ---- */

#define HELIX_ERROR_SIZE 260u
#define HELIX_ERROR_CODE 0u    /* i32: HELIX_CODE_ values */
#define HELIX_ERROR_MESSAGE 4u /* char[256], NUL-terminated */
#define HELIX_ERROR_MESSAGE_SIZE 256u

#define HELIX_CODE_INVALID (-1)      /* invalid message */
#define HELIX_CODE_NOT_FOUND (-2)    /* resource not found */
#define HELIX_CODE_NOT_READABLE (-3) /* no readable pixels on this host */
#define HELIX_CODE_NO_IOSURFACE (-4)
#define HELIX_CODE_ENCODE (-5) /* encode failed */
#define HELIX_CODE_NOT_CONFIGURED (-6)
#define HELIX_CODE_BUSY (-7)     /* more than max_in_flight */
#define HELIX_CODE_GEOMETRY (-8) /* size, stride, format, crop or offset does not fit */
#define HELIX_CODE_NOT_PERMITTED (-9)
#define HELIX_CODE_NO_ENCODER (-10) /* limit reached, or none on this host */
#define HELIX_CODE_INTERNAL (-99)

/* ---- limits ---- */

#define HELIX_MAX_DIMENSION 8192u /* pixels a side of PIXEL_DATA */
#define HELIX_MAX_PIXEL_BYTES (8192u * 8192u * 4u)
#define HELIX_MAX_REQUEST_PAYLOAD 4096u /* to the host, without pixels */
#define HELIX_MAX_RESPONSE_PAYLOAD (16u * 1024u * 1024u)
#define HELIX_MAX_PING 64u
#define HELIX_MAX_SNAPSHOTS 16u /* of a stream at a time */

/* ---- picture formats (DRM fourccs) ---- */

#define HELIX_FOURCC(a, b, c, d) ((unsigned)(a) | ((unsigned)(b) << 8) | ((unsigned)(c) << 16) | ((unsigned)(d) << 24))
#define HELIX_FORMAT_AR24 HELIX_FOURCC('A', 'R', '2', '4') /* bytes B G R A */
#define HELIX_FORMAT_XR24 HELIX_FOURCC('X', 'R', '2', '4') /* bytes B G R x */
#define HELIX_FORMAT_AB24 HELIX_FOURCC('A', 'B', '2', '4') /* bytes R G B A */
#define HELIX_FORMAT_XB24 HELIX_FOURCC('X', 'B', '2', '4') /* bytes R G B x */
#define HELIX_FORMAT_NV12 HELIX_FOURCC('N', 'V', '1', '2') /* Y plane, then interleaved Cb Cr */

#endif /* HELIX_WIRE_H */

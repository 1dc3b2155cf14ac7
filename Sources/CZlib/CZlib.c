#include "CZlib.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct czlib_gunzip {
    z_stream stream;
    const uint8_t *next;
    size_t rest;
    int is_over;
};

czlib_gunzip *czlib_gunzip_open(const uint8_t *bytes, size_t count)
{
    czlib_gunzip *reader = calloc(1, sizeof *reader);
    if (reader == NULL) return NULL;
    reader->next = bytes;
    reader->rest = count;
    // The largest window, and gzip alone (16).
    if (inflateInit2(&reader->stream, 15 + 16) != Z_OK) {
        free(reader);
        return NULL;
    }
    return reader;
}

ptrdiff_t czlib_gunzip_read(czlib_gunzip *reader, uint8_t *out, size_t capacity)
{
    z_stream *stream = &reader->stream;
    if (capacity > INT_MAX) capacity = INT_MAX;
    stream->next_out = out;
    stream->avail_out = (uInt)capacity;
    while (stream->avail_out == capacity && !reader->is_over) {
        uInt given = reader->rest > INT_MAX ? INT_MAX : (uInt)reader->rest;
        stream->next_in = (Bytef *)reader->next;
        stream->avail_in = given;
        int result = inflate(stream, Z_NO_FLUSH);
        reader->next += given - stream->avail_in;
        reader->rest -= given - stream->avail_in;
        if (result == Z_STREAM_END) {
            reader->is_over = reader->rest == 0;
            // Another member may follow.
            if (!reader->is_over && inflateReset(stream) != Z_OK) return -1;
        } else if (result != Z_OK) {
            // Z_BUF_ERROR: the input has its end before the data has.
            return -1;
        }
    }
    return (ptrdiff_t)(capacity - stream->avail_out);
}

void czlib_gunzip_close(czlib_gunzip *reader)
{
    inflateEnd(&reader->stream);
    free(reader);
}

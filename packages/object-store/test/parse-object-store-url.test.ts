import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parseObjectStoreUrl } from '../src/index.js'

const S3 = {
  driver: 's3',
  bucket: 'archive',
  prefix: '',
  region: 'us-east-1',
  endpoint: undefined,
  isPathStyle: false,
  encryption: undefined,
  kmsKeyId: undefined,
}

describe('the URL of an object store', () => {
  it.each([
    ['file:/var/lib/archive', { driver: 'file', directory: '/var/lib/archive' }],
    ['file:///var/lib/my%20archive', { driver: 'file', directory: '/var/lib/my archive' }],
    ['file:data/archive', { driver: 'file', directory: join(process.cwd(), 'data/archive') }],
    ['file:/var/lib/my%20archive/', { driver: 'file', directory: '/var/lib/my archive' }],
    ['s3://archive', S3],
    ['s3://archive/', S3],
    ['s3://archive/millrace/prod/', { ...S3, prefix: 'millrace/prod/' }],
    ['s3://archive?region=eu-central-1&encryption=AES256', { ...S3, region: 'eu-central-1', encryption: 'AES256' }],
    [
      's3://archive/a?endpoint=http%3A%2F%2Fminio%3A9000',
      { ...S3, prefix: 'a/', endpoint: 'http://minio:9000/', isPathStyle: true },
    ],
    [
      's3://archive?endpoint=https://s3.example.com&path_style=false',
      { ...S3, endpoint: 'https://s3.example.com/', isPathStyle: false },
    ],
    ['s3://archive?path_style=true', { ...S3, isPathStyle: true }],
    [
      's3://archive?encryption=aws:kms&kms_key_id=alias/archive',
      { ...S3, encryption: 'aws:kms', kmsKeyId: 'alias/archive' },
    ],
  ])('%s names a folder or a bucket', (text, expected) => {
    expect(parseObjectStoreUrl(text)).toEqual(expected)
  })

  it.each([
    ['', 'it must begin with file: or s3:'],
    ['/var/lib/archive', 'it must begin with file: or s3:'],
    ['https://archive.example.com', 'it must begin with file: or s3:'],
    ['file:', 'file: needs a folder'],
    ['file://host/share', 'file:// must be followed by an absolute path'],
    ['s3:', 'the bucket must have 3 to 63 characters'],
    ['s3://UP', 'the bucket must have 3 to 63 characters'],
    ['s3://minio:9000/archive', 'the host of another server belongs into endpoint='],
    ['s3://key:secret@archive', 'it must not hold credentials'],
    ['s3://archive?endpoint=http://key:secret@minio', 'endpoint must not hold credentials'],
    ['s3://archive?endpoint=minio:9000', 'endpoint must be an http: or https: URL'],
    ['s3://archive?regoin=eu-central-1', 'the parameter regoin is unknown or comes twice'],
    ['s3://archive?region=a&region=b', 'the parameter region is unknown or comes twice'],
    ['s3://archive?path_style=yes', 'path_style must be true or false'],
    ['s3://archive?encryption=rot13', 'encryption must be AES256 or aws:kms'],
    ['s3://archive?encryption=AES256&kms_key_id=a', 'kms_key_id needs encryption=aws:kms'],
    ['s3://archive?region=', 'the parameter region has no value'],
    ['s3://archive?endpoint=http://minio:9000%3Fsecret=1', 'endpoint must not hold ? or #'],
    ['s3://archive/a#secret', 'it must not have a part after #'],
    ['s3://archive/%zz', 'a percent sign must be written %25'],
    ['file:/var/lib/archive?region=secret', 'file: takes no parameters'],
    ['file:/var/lib/100%', 'a percent sign must be written %25'],
    ['s3://archive/a/.hidden', 'the prefix has a character that is not allowed'],
    ['s3://archive/a//b', 'the prefix has a character that is not allowed'],
  ])('%s is refused with the reason, without repeating the URL', (text, reason) => {
    expect(() => parseObjectStoreUrl(text)).toThrow(reason)
    expect(() => parseObjectStoreUrl(text)).not.toThrow('secret')
  })
})
